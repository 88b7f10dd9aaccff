// For tests: a store that several processes, one after the other, see.
#pragma once

#include "object/memory_store.h"

namespace millrace::disk {

class SharedBucket final : public object::Store {
 public:
  explicit SharedBucket(object::Store& bucket) : bucket_(bucket) {}
  Task<Result<std::string>> put_if_absent(std::string key, SliceChain body) override {
    return bucket_.put_if_absent(std::move(key), std::move(body));
  }
  Task<Result<std::string>> put_if_match(std::string key, SliceChain body, std::string etag) override {
    return bucket_.put_if_match(std::move(key), std::move(body), std::move(etag));
  }
  Task<Result<object::Object>> get(std::string key) override { return bucket_.get(std::move(key)); }
  Task<Result<Slice>> get_range(std::string key, object::ByteRange range) override {
    return bucket_.get_range(std::move(key), range);
  }
  Task<Result<std::optional<object::Object>>> get_if_changed(std::string key, std::string etag) override {
    return bucket_.get_if_changed(std::move(key), std::move(etag));
  }
  Task<Result<void>> remove(std::vector<std::string> keys) override { return bucket_.remove(std::move(keys)); }
  Task<Result<std::vector<object::Listed>>> list(std::string prefix, std::string after, std::size_t limit) override {
    return bucket_.list(std::move(prefix), std::move(after), limit);
  }

 private:
  object::Store& bucket_;
};

}  // namespace millrace::disk
