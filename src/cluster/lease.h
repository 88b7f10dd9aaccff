// The lease of a WAL on a disk (docs/spec/rules.md 25-28, docs/adr/0009): while an incarnation holds it, no other host
// may take its WAL over. Both sides of it, as pure values: each reads only its own clock, which runs through a suspend.
//
// The holder numbers its heartbeats and counts from the sending of the newest one that was granted. The controller
// grants a heartbeat once an entry of its own is committed that it sent after the heartbeat arrived, and counts from
// then. So the controller's count ends after the holder's, as long as their clocks drift apart by less than `margin`
// within one lease. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "base/clock.h"

namespace millrace::cluster {

struct LeaseTerms {
  Duration lease, margin;
  Duration whole() const { return lease + margin; }
  // So often a lease is renewed.
  Duration renewal() const { return lease / 4; }
};
inline LeaseTerms lease_terms(Duration session_timeout) { return {session_timeout, session_timeout / 4}; }

class HeldLease {
 public:
  // The number of a heartbeat that is sent now.
  std::uint64_t wish(SteadyTime now) {
    if (wishes_.size() >= kWishesMax) wishes_.pop_front();
    wishes_.push_back({++last_, now});
    return last_;
  }
  // That heartbeat was granted; those before it need no answer any more.
  void granted(std::uint64_t wish, Duration lease) {
    while (!wishes_.empty() && wishes_.front().number <= wish) {
      if (wishes_.front().number == wish) granted_at(wishes_.front().sent, lease);
      wishes_.pop_front();
    }
  }
  void granted_at(SteadyTime sent, Duration lease) { until_ = std::max(until_, sent + lease); }
  bool holds(SteadyTime now) const { return now < until_; }

 private:
  static constexpr std::size_t kWishesMax = 64;
  struct Wish {
    std::uint64_t number = 0;
    SteadyTime sent;
  };
  std::deque<Wish> wishes_;
  std::uint64_t last_ = 0;
  SteadyTime until_ = SteadyTime::min();
};

// What the controller gave to one incarnation. Its own entries are numbered in the order they are sent.
class GivenLease {
 public:
  // `since`: it may hold a lease from then on: it registered, or a new controller counts from its Claim (rule 26).
  explicit GivenLease(SteadyTime since = {}) : last_(since) {}

  // A heartbeat arrived; the entry numbered `entry`, or a later one, grants it.
  void asked(std::uint64_t wish, std::uint64_t entry) {
    if (wishes_.size() >= kWishesMax) wishes_.pop_back();  // an older one is of more use: it is granted sooner
    wishes_.push_back({wish, entry});
  }
  bool wanted() const { return !wishes_.empty(); }
  // That entry is committed, and the incarnation was live in it.
  void committed(std::uint64_t entry, SteadyTime now) {
    while (!wishes_.empty() && wishes_.front().entry <= entry) {
      granted_ = std::max(granted_, wishes_.front().wish);
      wishes_.pop_front();
      last_ = now;
    }
  }
  std::uint64_t granted() const { return granted_; }
  bool over(SteadyTime now, const LeaseTerms& terms) const { return now >= last_ + terms.whole(); }
  Duration left(SteadyTime now, const LeaseTerms& terms) const {
    return std::max<Duration>(last_ + terms.whole() - now, Duration::zero());
  }

 private:
  static constexpr std::size_t kWishesMax = 64;
  struct Wish {
    std::uint64_t wish = 0, entry = 0;
  };
  std::deque<Wish> wishes_;
  std::uint64_t granted_ = 0;
  SteadyTime last_;
};

}  // namespace millrace::cluster
