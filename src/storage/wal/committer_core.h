// CommitterCore: when a slot is cut, in which order slots are acknowledged, when an incarnation is over.
//
// Flush rule: with nothing in flight a slot is cut at once (but not sooner than `cut_interval` after the last cut:
// under load this trades a millisecond for larger slots); with PUTs in flight at min(linger, slot_bytes_max); the PUT
// budget makes an almost idle WAL coalesce instead of paying for each batch. A full slot is never held back by linger
// or budget. Acknowledgement: a slot only together with all before it (prefix-ack). Pure: no I/O, no clock. Times are
// SteadyTime, sizes bytes.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/clock.h"
#include "cluster/records.h"

namespace millrace::storage {

struct CommitterOptions {
  Duration linger = 5ms;
  Duration cut_interval = 1ms;
  std::size_t slot_bytes_max = 8 << 20;
  std::size_t puts_in_flight_max = 16;
  double puts_per_second_max = 50;       // refill of the budget; the bucket holds one second's worth
  std::size_t bytes_per_put = 64 << 10;  // that many bytes earn a PUT beyond the budget
};

class CommitterCore {
 public:
  explicit CommitterCore(CommitterOptions options) : options_(options), tokens_(options.puts_per_second_max) {}

  struct Decision {
    enum class Kind { kIdle, kCut, kWait } kind = Kind::kIdle;
    SteadyTime when{};  // of kWait: ask again then, or after any event
  };

  // True when the open slot must be cut before `bytes` more go into it.
  bool is_full_for(std::size_t bytes) const { return open_bytes_ > 0 && open_bytes_ + bytes > options_.slot_bytes_max; }
  void added(std::size_t bytes, SteadyTime now);
  Decision decide(SteadyTime now);
  // The open slot gets its number; it may be sent once `may_send`.
  cluster::SlotNumber cut(SteadyTime now);
  bool may_send() const { return !over_ && in_flight_ < options_.puts_in_flight_max; }
  void sent() { ++in_flight_; }
  // The PUT of `slot` is durable. Answers how many slots are acknowledged by it, in order, from acked()+1 before.
  std::size_t durable(cluster::SlotNumber slot);
  // Rule 15: a 412 by another, or an outcome unknown for too long. Nothing is cut, sent or acknowledged again.
  void end() { over_ = true; }
  // From now on whatever is open is cut at once.
  void drain() { draining_ = true; }

  bool over() const { return over_; }
  bool idle() const { return open_bytes_ == 0 && window_.empty(); }
  std::size_t open_bytes() const { return open_bytes_; }
  std::size_t in_flight() const { return in_flight_; }
  cluster::SlotNumber acked() const { return cluster::SlotNumber(next_.value() - window_.size() - 1); }
  cluster::SlotNumber next() const { return next_; }

 private:
  void refill(SteadyTime now);

  CommitterOptions options_;
  cluster::SlotNumber next_{1};
  std::deque<bool> window_;  // slots cut and not acknowledged: durable or not
  std::size_t in_flight_ = 0;
  std::size_t open_bytes_ = 0;
  SteadyTime open_since_{};
  std::optional<SteadyTime> last_cut_;
  double tokens_;
  std::optional<SteadyTime> refilled_;
  bool draining_ = false;
  bool over_ = false;
};

}  // namespace millrace::storage
