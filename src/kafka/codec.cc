#include "kafka/codec.h"

#include <fmt/format.h>

#include "base/codec.h"

namespace millrace::kafka {
namespace {

constexpr std::int16_t kOffsetCommitKeyType = 1;
constexpr std::int16_t kLegacyOffsetCommitKeyType = 0;
constexpr std::int16_t kGroupMetadataKeyType = 2;
constexpr std::uint32_t kHeaderTagsMax = 10'000;

// Headers have no tagged fields that we know: all are skipped.
void skip_tags(ByteReader& reader) {
  const std::uint32_t count = reader.uvarint32();
  if (count > kHeaderTagsMax) reader.set_bad();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    reader.uvarint32();
    reader.bytes(reader.uvarint32());
  }
}

std::unexpected<Error> unknown_api(std::int16_t key) {
  return fail(Code::kUnsupported, fmt::format("api key {} is not supported", key));
}

}  // namespace

Result<RequestFrame> decode_request_header(const Slice& frame) {
  ByteReader reader(frame.view());
  RequestFrame request;
  request.header.api_key = reader.be<std::int16_t>();
  request.header.api_version = reader.be<std::int16_t>();
  request.header.correlation_id = reader.be<std::int32_t>();
  if (!reader.ok()) return fail(Code::kCorrupt, "a request frame too short for its header");
  const Api* api = find_api(request.header.api_key);
  if (!api) return unknown_api(request.header.api_key);

  // Never compact, not even in header version 2 (KIP-511).
  const auto size = reader.be<std::int16_t>();
  if (size < -1) reader.set_bad();
  if (size >= 0) request.header.client_id = std::string(reader.bytes(static_cast<std::size_t>(size)));
  if (api->request_header_version(request.header.api_version) >= 2) skip_tags(reader);
  if (!reader.ok()) return fail(Code::kCorrupt, fmt::format("{} request: the header is broken", api->name));
  request.body = frame.sub(reader.position());
  return request;
}

Result<ResponseFrame> decode_response_header(const Slice& frame, const Api& api, std::int16_t version) {
  ByteReader reader(frame.view());
  ResponseFrame response;
  response.correlation_id = reader.be<std::int32_t>();
  if (api.response_header_version(version) >= 1) skip_tags(reader);
  if (!reader.ok()) return fail(Code::kCorrupt, fmt::format("{} response: the header is broken", api.name));
  response.body = frame.sub(reader.position());
  return response;
}

Result<std::string> request_header_bytes(const RequestHeader& header) {
  const Api* api = find_api(header.api_key);
  if (!api) return unknown_api(header.api_key);
  std::string out;
  ByteWriter writer(out);
  writer.be(header.api_key);
  writer.be(header.api_version);
  writer.be(header.correlation_id);
  if (header.client_id) {
    if (header.client_id->size() > 0x7fff) return fail(Code::kInvalid, "the client id is longer than 32767 bytes");
    writer.be(static_cast<std::int16_t>(header.client_id->size()));
    writer.bytes(*header.client_id);
  } else {
    writer.be(std::int16_t{-1});
  }
  if (api->request_header_version(header.api_version) >= 2) writer.u8(0);
  return out;
}

Result<std::string> response_header_bytes(std::int32_t correlation_id, std::int16_t api_key, std::int16_t version) {
  const Api* api = find_api(api_key);
  if (!api) return unknown_api(api_key);
  std::string out;
  ByteWriter writer(out);
  writer.be(correlation_id);
  if (api->response_header_version(version) >= 1) writer.u8(0);
  return out;
}

SliceChain with_length(SliceChain frame) {
  Slice length = Slice::uninitialized(4);
  store_be(length.mutable_data(), static_cast<std::int32_t>(frame.size()));
  SliceChain all;
  all.append(std::move(length));
  all.append(std::move(frame));
  return all;
}

Result<std::optional<GroupRecordKey>> decode_group_record_key(const Slice& bytes) {
  ByteReader reader(bytes.view());
  const auto type = reader.be<std::int16_t>();
  if (!reader.ok()) return fail(Code::kCorrupt, "a group record key without its type");
  if (type == kOffsetCommitKeyType || type == kLegacyOffsetCommitKeyType) {
    TRY(auto key, decode<OffsetCommitKey>(bytes.sub(2), 0));
    return GroupRecordKey(std::move(key));
  }
  if (type == kGroupMetadataKeyType) {
    TRY(auto key, decode<GroupMetadataKey>(bytes.sub(2), 0));
    return GroupRecordKey(std::move(key));
  }
  return std::optional<GroupRecordKey>();
}

std::string encode_group_record_key(const GroupRecordKey& key) {
  const std::int16_t type = std::holds_alternative<OffsetCommitKey>(key) ? kOffsetCommitKeyType : kGroupMetadataKeyType;
  std::string prefix{static_cast<char>(type >> 8), static_cast<char>(type)};
  auto bytes = std::visit(
      [&](const auto& each) { return Codec<std::decay_t<decltype(each)>>::encode(std::move(prefix), each, 0); }, key);
  CHECK(bytes);  // names in keys were checked when the group and topic came in
  return std::string(bytes->flatten().view());
}

}  // namespace millrace::kafka
