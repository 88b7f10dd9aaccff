// A bucket in memory (`mem:`, tests, the simulation): linearizable, nothing survives the process. Deterministic: it
// reads no clock and no randomness, ETags depend on the content alone, lists are in byte order. Every call gives
// way to the executor once before it takes effect, so callers meet the same interleavings as with a real store.
//
// Fails only as the Store contract says. One thread. Bodies are copied: 1 memcpy per PUT, none per GET.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "object/store.h"

namespace millrace::object {

class MemoryStore : public Store {
 public:
  Task<Result<std::string>> put_if_absent(std::string key, SliceChain body) override;
  Task<Result<std::string>> put_if_match(std::string key, SliceChain body, std::string etag) override;
  Task<Result<Object>> get(std::string key) override;
  Task<Result<Slice>> get_range(std::string key, ByteRange range) override;
  Task<Result<std::optional<Object>>> get_if_changed(std::string key, std::string etag) override;
  Task<Result<void>> remove(std::vector<std::string> keys) override;
  Task<Result<std::vector<Listed>>> list(std::string prefix, std::string start_after, std::size_t limit) override;

  // For tests and checkers: all that is stored, by key.
  const std::map<std::string, Object>& objects() const { return objects_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::map<std::string, Object> objects_;
  std::uint64_t bytes_ = 0;
};

}  // namespace millrace::object
