// Small shared pieces of this room's codecs: strings, ids and counts on ByteWriter and ByteReader (base/codec.h).
// Strings and counts are unsigned varints, numbers that may be negative zigzag varints, ids 16 raw bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/codec.h"
#include "base/uuid.h"
#include "cluster/records.h"

namespace millrace::cluster::wire {

inline void put_string(ByteWriter& out, std::string_view text) {
  out.uvarint(text.size());
  out.bytes(text);
}
inline std::string get_string(ByteReader& in) {
  const std::uint64_t size = in.uvarint64();
  if (size > in.remaining()) {
    in.set_bad();
    return {};
  }
  return std::string(in.bytes(static_cast<std::size_t>(size)));
}

inline void put_uuid(ByteWriter& out, const Uuid& id) { out.bytes(id.view()); }
inline Uuid get_uuid(ByteReader& in) {
  Uuid id;
  const std::string_view bytes = in.bytes(id.bytes.size());
  if (in.ok()) std::memcpy(id.bytes.data(), bytes.data(), id.bytes.size());
  return id;
}

inline void put_partition(ByteWriter& out, const PartitionId& id) {
  put_uuid(out, id.topic_id);
  out.zigzag(id.partition);
}
inline PartitionId get_partition(ByteReader& in) {
  PartitionId id;
  id.topic_id = get_uuid(in);
  id.partition = in.zigzag32();
  return id;
}

template <class Id>
void put_number(ByteWriter& out, Id id) {
  out.uvarint(id.value());
}
template <class Id>
Id get_number(ByteReader& in) {
  return Id(in.uvarint64());
}

template <class T, class Put>
void put_list(ByteWriter& out, const std::vector<T>& items, Put put) {
  out.uvarint(items.size());
  for (const auto& item : items) put(out, item);
}
// A count is only believed as far as bytes follow: every item takes at least one.
template <class T, class Get>
std::vector<T> get_list(ByteReader& in, Get get) {
  const std::uint64_t count = in.uvarint64();
  std::vector<T> items;
  if (count > in.remaining()) {
    in.set_bad();
    return items;
  }
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) items.push_back(get(in));
  return items;
}

inline void put_configs(ByteWriter& out, const std::map<std::string, std::string>& configs) {
  out.uvarint(configs.size());
  for (const auto& [name, value] : configs) {
    put_string(out, name);
    put_string(out, value);
  }
}
inline std::map<std::string, std::string> get_configs(ByteReader& in) {
  std::map<std::string, std::string> configs;
  const std::uint64_t count = in.uvarint64();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    std::string name = get_string(in);
    configs[std::move(name)] = get_string(in);
  }
  return configs;
}

inline void put_extent(ByteWriter& out, const Extent& extent) {
  put_partition(out, extent.partition);
  out.zigzag(extent.base_offset);
  out.zigzag(extent.end_offset);
  out.uvarint(extent.position);
  out.uvarint(extent.size_bytes);
  out.zigzag(extent.max_timestamp_ms);
}
inline Extent get_extent(ByteReader& in) {
  Extent extent;
  extent.partition = get_partition(in);
  extent.base_offset = in.zigzag64();
  extent.end_offset = in.zigzag64();
  extent.position = in.uvarint64();
  extent.size_bytes = in.uvarint64();
  extent.max_timestamp_ms = in.zigzag64();
  return extent;
}

inline void put_state_extent(ByteWriter& out, const StateExtent& state) {
  put_partition(out, state.partition);
  out.zigzag(state.end_offset);
  out.uvarint(state.position);
  out.uvarint(state.size_bytes);
  out.zigzag(state.follows);
}
inline StateExtent get_state_extent(ByteReader& in) {
  StateExtent state;
  state.partition = get_partition(in);
  state.end_offset = in.zigzag64();
  state.position = in.uvarint64();
  state.size_bytes = in.uvarint64();
  state.follows = in.zigzag64();
  return state;
}

}  // namespace millrace::cluster::wire
