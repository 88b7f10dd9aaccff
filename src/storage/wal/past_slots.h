// PastSlots: slots of other WALs (earlier incarnations of this broker, or other brokers) from which this process still
// reads batches of partitions that it leads now. Their refs have the highest bit of a batch entry's slot, so that one
// field names either kind. Entries go when the floor of their WAL has passed them: objects have the batches then. One
// thread.
#pragma once

#include <map>
#include <optional>
#include <unordered_map>

#include "storage/log/partition_log.h"
#include "storage/wal/slot_codec.h"

namespace millrace::storage {

struct SlotPlace {
  SlotAddress address;
  std::uint64_t object_size = 0;
};

class PastSlots {
 public:
  static constexpr SlotRef kFirst = SlotRef{1} << 39;
  static bool is_past(SlotRef ref) { return ref >= kFirst; }

  // The same ref for the same slot as long as it is held.
  SlotRef add(const SlotPlace& place) {
    const cluster::WalId wal{place.address.broker_id, place.address.incarnation};
    const auto [at, fresh] = by_address_[wal].try_emplace(place.address.slot, next_);
    if (fresh) {
      places_.emplace(next_++, place);
      bytes_ += place.object_size;
    }
    return at->second;
  }
  const SlotPlace* find(SlotRef ref) const {
    const auto at = places_.find(ref);
    return at == places_.end() ? nullptr : &at->second;
  }
  // `floor_of` answers the first slot of a WAL that is still needed, nothing when none is.
  template <class FloorOf>
  void forget_below(FloorOf floor_of) {
    for (auto wal = by_address_.begin(); wal != by_address_.end();) {
      const std::optional<SlotNumber> floor = floor_of(wal->first);
      auto& slots = wal->second;
      while (!slots.empty() && (!floor || slots.begin()->first < *floor)) {
        const auto place = places_.find(slots.begin()->second);
        bytes_ -= place->second.object_size;
        places_.erase(place);
        slots.erase(slots.begin());
      }
      wal = slots.empty() ? by_address_.erase(wal) : std::next(wal);
    }
  }
  std::size_t size() const { return places_.size(); }
  std::uint64_t bytes() const { return bytes_; }

 private:
  SlotRef next_ = kFirst;
  std::uint64_t bytes_ = 0;
  std::unordered_map<SlotRef, SlotPlace> places_;
  std::map<cluster::WalId, std::map<SlotNumber, SlotRef>> by_address_;
};

}  // namespace millrace::storage
