// A bucket as a port: create-only and conditional PUT, ranged GET, DELETE, LIST. Everything durable in
// Millrace goes through here, and correctness rests on `put_if_absent` alone (docs/formats, bucket
// protocol rules): LIST is for garbage collection and people.
//
// Drivers report what one attempt did and never retry by themselves: a hidden retry would turn a success
// into a precondition failure. The error codes are the whole outcome table:
//   kExists       the precondition failed (412): something is there, perhaps from an earlier attempt of ours
//   kNotFound     no such object (404)
//   kUnavailable  definitely not applied (409 conflict, refused connection): the caller may repeat
//   kTimeout      unknown (timeout, reset, 5xx): the write may still land later
//   kExhausted    out of space; not applied     kDenied  not permitted; not applied
// `object/create.h` turns them into one decision for conditional PUTs.
//
// One thread: the store's executor. Implementations: file_store, memory_store, faulty_store (tests, sim).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/task.h"

namespace millrace::object {

struct Object {
  Slice body;
  std::string etag;
};

struct Listed {
  std::string key;
  std::uint64_t size_bytes = 0;
};

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  // Creates `key` with `body`; durable when it succeeds. Answers the ETag.
  virtual Task<Result<std::string>> put_if_absent(std::string key, SliceChain body) = 0;
  // Replaces `key` if its ETag still is `etag`. Answers the new ETag.
  virtual Task<Result<std::string>> put_if_match(std::string key, SliceChain body, std::string etag) = 0;
  virtual Task<Result<Object>> get(std::string key) = 0;
  // Bytes [offset, offset+size), shorter only where the object ends.
  virtual Task<Result<Slice>> get_range(std::string key, ByteRange range) = 0;
  // Nothing when the ETag is unchanged.
  virtual Task<Result<std::optional<Object>>> get_if_changed(std::string key, std::string etag) = 0;
  // Absent keys are not an error.
  virtual Task<Result<void>> remove(std::vector<std::string> keys) = 0;
  // Keys beginning with `prefix` and greater than `start_after`, ascending, at most `limit`.
  virtual Task<Result<std::vector<Listed>>> list(std::string prefix, std::string start_after, std::size_t limit) = 0;
};

}  // namespace millrace::object
