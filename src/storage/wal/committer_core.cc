#include "storage/wal/committer_core.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace millrace::storage {
namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

void CommitterCore::refill(SteadyTime now) {
  if (refilled_) {
    tokens_ += seconds(now - *refilled_) * options_.puts_per_second_max;
    tokens_ = std::min(tokens_, std::max(options_.puts_per_second_max, 1.0));
  }
  refilled_ = now;
}

void CommitterCore::added(std::size_t bytes, SteadyTime now) {
  if (open_bytes_ == 0) open_since_ = now;
  open_bytes_ += bytes;
  tokens_ += static_cast<double>(bytes) / static_cast<double>(options_.bytes_per_put);
}

CommitterCore::Decision CommitterCore::decide(SteadyTime now) {
  using Kind = Decision::Kind;
  if (over_ || open_bytes_ == 0) return {Kind::kIdle};
  if (open_bytes_ >= options_.slot_bytes_max || draining_) return {Kind::kCut};
  refill(now);
  // With the window full the slot only grows: a completion asks again.
  if (in_flight_ >= options_.puts_in_flight_max) return {Kind::kIdle};
  SteadyTime when = in_flight_ == 0 ? now : open_since_ + options_.linger;
  if (last_cut_) when = std::max(when, std::min(*last_cut_ + options_.cut_interval, open_since_ + options_.linger));
  if (tokens_ < 1) {
    const auto wait = std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>((1 - tokens_) / std::max(options_.puts_per_second_max, 0.001)));
    when = std::max(when, now + wait + Duration(1));
  }
  if (when <= now) return {Kind::kCut};
  return {Kind::kWait, when};
}

cluster::SlotNumber CommitterCore::cut(SteadyTime now) {
  CHECK(!over_ && open_bytes_ > 0);
  open_bytes_ = 0;
  last_cut_ = now;
  tokens_ = std::max(tokens_ - 1, 0.0);
  window_.push_back(false);
  const auto slot = next_;
  next_ = next_.next();
  return slot;
}

std::size_t CommitterCore::durable(cluster::SlotNumber slot) {
  CHECK(in_flight_ > 0);
  --in_flight_;
  if (over_) return 0;
  CHECK(slot > acked() && slot < next_);
  window_[slot.value() - acked().value() - 1] = true;
  std::size_t count = 0;
  while (!window_.empty() && window_.front()) {
    window_.pop_front();
    ++count;
  }
  return count;
}

}  // namespace millrace::storage
