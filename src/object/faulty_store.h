// A Store that misbehaves on purpose, for tests and the simulation: it wraps another one and, by a seeded Random and
// an injected Clock, loses requests and replies, answers errors, is slow, applies writes late or twice. The same seed
// and the same calls give the same faults.
//
// What each fault does to one call, and what the caller sees:
//   lost_request   never reaches the store                          kTimeout after `timeout`
//   lost_reply     takes effect                                     kTimeout after `timeout`
//   late_apply     (PUT) takes effect up to `late_max` after the    kTimeout after `timeout`
//                  caller gave up; it may lose its race by then
//   duplicate      (PUT) takes effect, and the request arrives once the first one's answer
//                  more later, as a network that repeats it does
//   conflict       never reaches the store (409, 503)               kUnavailable at once
//   slow           takes effect after up to `slow_max`              its answer
// Reads know lost_request, conflict and slow. None of this may cost data: see docs/formats, bucket protocol rules.
//
// One thread. Late writes run on `executor`; `settle` waits for them, and must have before destruction.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/task.h"
#include "object/store.h"

namespace millrace::object {

struct FaultOptions {
  // Probabilities per call, 0 to 1.
  double lost_request = 0, lost_reply = 0, late_apply = 0, duplicate = 0, conflict = 0, slow = 0;
  // Every call takes this long, uniformly between the two.
  Duration latency_min = 0ms, latency_max = 0ms;
  Duration timeout = 5s;
  Duration slow_max = 2s;
  Duration late_max = 20s;
};

struct FaultCounts {
  std::uint64_t calls = 0, lost_requests = 0, lost_replies = 0, late_applies = 0, duplicates = 0, conflicts = 0,
                slow = 0;
};

class FaultyStore final : public Store {
 public:
  enum class Step { kBefore, kAfter };
  // Called before and after each call reaches the store: a simulated crash happens between any two of these. The
  // hook may never return to the caller by marking its node as dead (see `cut`).
  using Hook = std::function<void(Step step, std::string_view operation, std::string_view key)>;

  FaultyStore(Store& store, Executor executor, Clock& clock, Random& random, FaultOptions options);

  FaultOptions& options() { return options_; }  // may be changed at any time; all zero heals the store
  const FaultCounts& counts() const { return counts_; }
  void set_hook(Hook hook) { hook_ = std::move(hook); }
  // While cut, no call reaches the store and all answer kUnavailable: a partition between this node and its bucket.
  // Late writes already on their way still arrive.
  void cut(bool on) { cut_ = on; }
  // Waits until no late write is left.
  Task<void> settle() { return late_.stop(); }

  Task<Result<std::string>> put_if_absent(std::string key, SliceChain body) override;
  Task<Result<std::string>> put_if_match(std::string key, SliceChain body, std::string etag) override;
  Task<Result<Object>> get(std::string key) override;
  Task<Result<Slice>> get_range(std::string key, ByteRange range) override;
  Task<Result<std::optional<Object>>> get_if_changed(std::string key, std::string etag) override;
  Task<Result<void>> remove(std::vector<std::string> keys) override;
  Task<Result<std::vector<Listed>>> list(std::string prefix, std::string start_after, std::size_t limit) override;

 private:
  enum class Fate { kNormal, kConflict, kLostRequest, kLostReply, kLateApply, kDuplicate };
  struct Put {
    std::string key;
    SliceChain body;
    std::string etag;
    bool create = true;
  };
  bool chance(double probability);
  Duration up_to(Duration most);
  Fate draw(bool write);
  // Waits as long as the call takes; answers the error of a call that never arrives.
  Task<Result<void>> arrive(Fate fate, std::string operation, std::string key);
  void left(std::string_view operation, std::string_view key);
  Task<Result<std::string>> put(Put request);
  Task<Result<std::string>> send(Put request);
  Task<void> send_late(Put request, Duration delay);
  Error lost(std::string_view key) const;

  Store& store_;
  Clock& clock_;
  Random& random_;
  FaultOptions options_;
  FaultCounts counts_;
  Hook hook_;
  bool cut_ = false;
  TaskScope late_;
};

}  // namespace millrace::object
