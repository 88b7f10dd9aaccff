// BrokenStore: a bucket that does not keep its word, or keeps it although its users broke theirs: what the protocol
// rests on, taken away piece by piece. It stands behind the bucket's honest faults. Sound code must be caught losing
// records over some of them, and must not care about others (variant.cc says which).
#pragma once

#include <set>

#include "object/store.h"
#include "sim/world.h"

namespace millrace::sim {

enum class StoreBreak {
  kNone,
  kPlainPut,    // a create-only PUT replaces what is there
  kPlainSwap,   // If-Match is not looked at
  kNoSeal,      // a Seal is answered 200 and not stored
  kLosesSeals,  // a Seal vanishes some seconds after it was written (a lifecycle rule, an operator)
  kEarlyGc,     // a data slot vanishes some seconds after it was written, registered or not
  kForgetful,   // one PUT in a hundred is answered 200 and not stored
  kStale404,    // one GET in twenty does not find an object that is there
  kLyingList,   // LIST leaves out new names and shows removed ones
};

class BrokenStore final : public object::Store {
 public:
  BrokenStore(World& world, object::Store& store, StoreBreak broken) : world_(world), store_(store), broken_(broken) {}

  // May change at any time.
  void breaks(StoreBreak broken) { broken_ = broken; }

  Task<Result<std::string>> put_if_absent(std::string key, SliceChain body) override;
  Task<Result<std::string>> put_if_match(std::string key, SliceChain body, std::string etag) override;
  Task<Result<object::Object>> get(std::string key) override;
  Task<Result<Slice>> get_range(std::string key, object::ByteRange range) override;
  Task<Result<std::optional<object::Object>>> get_if_changed(std::string key, std::string etag) override;
  Task<Result<void>> remove(std::vector<std::string> keys) override;
  Task<Result<std::vector<object::Listed>>> list(std::string prefix, std::string after, std::size_t limit) override;

 private:
  Task<Result<std::string>> overwrite(std::string key, SliceChain body);
  void vanish_later(std::string key, Duration after);
  bool hides() { return broken_ == StoreBreak::kStale404 && world_.chance(5); }

  World& world_;
  object::Store& store_;
  StoreBreak broken_;
  std::set<std::string> removed_, fresh_;  // of kLyingList
};

}  // namespace millrace::sim
