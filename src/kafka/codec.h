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

#include "base/bytes.h"
#include "base/result.h"
#include "kafka/message.h"

namespace millrace::kafka {

template <class M>
Result<M> decode(const Slice& body, std::int16_t version);

template <class M>
Result<SliceChain> encode(const M& message, std::int16_t version);

// How many bytes `encode` would give; 0 when it would fail.
template <class M>
std::size_t encoded_size(const M& message, std::int16_t version) {
  auto bytes = encode(message, version);
  return bytes ? bytes->size() : 0;
}

// All fields of `version`, for logs and tests: names as in the struct, bytes as base64, records as their size.
template <class M>
std::string to_json(const M& message, std::int16_t version);

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

// kCorrupt for a broken header, kUnsupported for an api key that is not in kApis. The version is not judged:
// whoever dispatches does (ApiVersions has its own answer); for one above our range the body starts as in our newest.
Result<RequestFrame> decode_request_header(const Slice& frame);

struct ResponseFrame {
  std::int32_t correlation_id = 0;
  Slice body;
};
Result<ResponseFrame> decode_response_header(const Slice& frame, std::int16_t api_key, std::int16_t version);

// `header.api_key` and `api_version` say what is written; the key must be M's.
template <class M>
Result<SliceChain> encode_request(const RequestHeader& header, const M& body);

template <class M>
Result<SliceChain> encode_response(std::int32_t correlation_id, std::int16_t version, const M& body);

// The frame with its 4-byte length before it, ready for a connection.
SliceChain with_length(SliceChain frame);

// The value of a `__consumer_offsets` record or of a consumer protocol blob: a 2-byte version, then the struct.
// A newer version than ours is read as far as ours goes where the format allows it (KIP-482 tags), else kUnsupported.
template <class M>
Result<M> decode_versioned(const Slice& bytes);
template <class M>
Result<std::string> encode_versioned(const M& message, std::int16_t version);

}  // namespace millrace::kafka
