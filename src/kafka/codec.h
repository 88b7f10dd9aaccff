// Kafka messages from bytes and to bytes (KIP-482 for the flexible versions), and the frames around them.
// A frame here is header + body, without the 4-byte length that precedes it on a connection.
//
// Decoding never throws, never reads outside the frame, allocates only in proportion to it, and answers
// kCorrupt naming the field, or kUnsupported for a version that the message does not have. Views and Slices
// in a decoded message point into the frame: Slices keep it alive, string_views do not. Encoding fails only
// for a message that the version cannot express (a null or a field that it does not have).
// Thread-safe: nothing here has state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"
#include "kafka/apis.h"
#include "kafka/message.h"
#include "kafka/messages/group_records.h"

namespace millrace::kafka {

class Walk;

// The codec of one message, compiled once (codec_*.cc). Callers use the functions below.
template <class M>
struct Codec {
  static Result<M> decode(const Slice& body, std::int16_t version);
  // `prefix` comes before the message, as a header does.
  static Result<SliceChain> encode(std::string prefix, const M& message, std::int16_t version);
  static void walk(Walk& walk, M& message);
};

template <class M>
Result<M> decode(const Slice& body, std::int16_t version) {
  return Codec<M>::decode(body, version);
}

template <class M>
Result<SliceChain> encode(const M& message, std::int16_t version) {
  return Codec<M>::encode({}, message, version);
}

// How many bytes `encode` gives; 0 when it fails. Costs as much as encoding.
template <class M>
std::size_t encoded_size(const M& message, std::int16_t version) {
  auto bytes = encode(message, version);
  return bytes ? bytes->size() : 0;
}

// All fields of `version` as JSON, for logs and tests: names as in the struct; bytes and records as their size.
std::string print_json(std::int16_t version, void (*walk)(Walk&, void*), void* message);
template <class M>
std::string to_json(const M& message, std::int16_t version) {
  // The walk only reads: print_json gives every value back as it was.
  return print_json(
      version, [](Walk& w, void* m) { Codec<M>::walk(w, *static_cast<M*>(m)); }, const_cast<M*>(&message));
}

struct RequestHeader {
  std::int16_t api_key = -1;
  std::int16_t api_version = 0;
  std::int32_t correlation_id = 0;
  std::optional<std::string> client_id;
};

struct RequestFrame {
  RequestHeader header;
  Slice body;
};

// kCorrupt for a broken header, kUnsupported for an api key that is not in kApis. The version is not judged, as
// ApiVersions has an answer of its own to one that is too new.
Result<RequestFrame> decode_request_header(const Slice& frame);

struct ResponseFrame {
  std::int32_t correlation_id = 0;
  Slice body;
};
Result<ResponseFrame> decode_response_header(const Slice& frame, const Api& api, std::int16_t version);

// The header parts of a frame, to be followed by a body.
Result<std::string> request_header_bytes(const RequestHeader& header);
Result<std::string> response_header_bytes(std::int32_t correlation_id, std::int16_t api_key, std::int16_t version);

// `header.api_version` says what is written; its api_key is taken from the message.
template <class M>
Result<SliceChain> encode_request(RequestHeader header, const M& body) {
  header.api_key = M::kInfo.api_key;
  TRY(std::string prefix, request_header_bytes(header));
  return Codec<M>::encode(std::move(prefix), body, header.api_version);
}

template <class M>
Result<SliceChain> encode_response(std::int32_t correlation_id, std::int16_t version, const M& body) {
  TRY(std::string prefix, response_header_bytes(correlation_id, M::kInfo.api_key, version));
  return Codec<M>::encode(std::move(prefix), body, version);
}

// The frame with its 4-byte length before it, ready for a connection.
SliceChain with_length(SliceChain frame);

// What a 2-byte version number introduces: values in __consumer_offsets, consumer protocol blobs. Of the
// latter a newer version than ours begins as our newest does, so it can be read as that.
enum class NewerVersion { kRefuse, kReadAsNewest };
template <class M>
Result<M> decode_versioned(const Slice& bytes, NewerVersion newer = NewerVersion::kRefuse) {
  if (bytes.size() < 2) return fail(Code::kCorrupt, std::string(M::kInfo.name) + ": no version number");
  auto version = static_cast<std::int16_t>(static_cast<unsigned char>(bytes.data()[0]) << 8 |
                                           static_cast<unsigned char>(bytes.data()[1]));
  if (version > M::kInfo.max_version && newer == NewerVersion::kReadAsNewest) version = M::kInfo.max_version;
  return Codec<M>::decode(bytes.sub(2), version);
}
template <class M>
Result<std::string> encode_versioned(const M& message, std::int16_t version) {
  std::string prefix{static_cast<char>(version >> 8), static_cast<char>(version)};
  TRY(SliceChain bytes, Codec<M>::encode(std::move(prefix), message, version));
  return std::string(bytes.flatten().view());
}

// Keys in __consumer_offsets: a 2-byte record type, then the struct. Nothing for a type that we do not know.
using GroupRecordKey = std::variant<OffsetCommitKey, GroupMetadataKey>;
Result<std::optional<GroupRecordKey>> decode_group_record_key(const Slice& bytes);
std::string encode_group_record_key(const GroupRecordKey& key);

}  // namespace millrace::kafka
