// WalCore: what lies where on a WAL disk. Which slot is at which place of which segment, where the next frame goes,
// which slots share it (group commit), and when a segment may be used again. Pure: no I/O, no clock, no bytes.
//
// A segment is written from its front by one use: first its header, then frames. It may be used again once no slot in
// it is needed (removed) and nobody reads from it. What a scan finds counts as needed until it is removed, so a removal
// that a crash forgot costs space for a while, never data. Sizes and positions are bytes. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "disk/segment_codec.h"
#include "object/store.h"

namespace millrace::disk {

using SegmentId = std::uint32_t;

struct Placement {
  SegmentId segment = 0;
  std::uint64_t position = 0;
  std::uint32_t size = 0;
  std::uint32_t crc = 0;
};

struct GroupLimits {
  std::size_t records_max = 256;
  std::uint64_t bytes_max = 8 << 20;  // of one frame; a larger slot is alone in its frame
};
// How many of the waiting slots, first ones first, go into the next frame: all, up to the limits, at least one.
std::size_t group_of(std::span<const std::uint64_t> waiting_sizes, const GroupLimits& limits);

class WalCore {
 public:
  enum class State {
    kIdle,    // written by an earlier use, or never: its slots may still be needed
    kReady,   // has a header of this process, and no frame yet
    kActive,  // the one that frames go to
  };
  struct Segment {
    std::string name;
    std::uint64_t size = 0;
    State state = State::kIdle;
    std::uint64_t nonce = 0;
    std::uint64_t end = 0;   // where the next frame goes
    std::size_t needed = 0;  // slots in it
    std::size_t readers = 0;
    bool foreign = false;  // another host may still write to it: never used again, only removed
  };

  // ---- slots ----
  void note(const FrameRecord& record, SegmentId segment);
  std::optional<Placement> find(const SlotAddress& address) const;
  bool holds_any_of(const cluster::WalId& wal) const;
  // False when it was not there.
  bool remove(const SlotAddress& address);
  // As object::Store::list, of the keys of slots that are here.
  std::vector<object::Listed> list(std::string_view prefix, std::string_view start_after, std::size_t limit) const;
  std::size_t slots() const { return slots_; }
  std::uint64_t slot_bytes() const { return slot_bytes_; }

  // ---- segments ----
  SegmentId add(std::string name, std::uint64_t size);
  const Segment& segment(SegmentId id) const { return segments_.at(id); }
  const std::map<SegmentId, Segment>& segments() const { return segments_; }
  // A segment of at least `size` that may be used again, smallest first.
  std::optional<SegmentId> reusable(std::uint64_t size) const;
  // Those that nobody needs: the foreign ones, and the others beyond the `keep` that are kept to be used again.
  std::vector<SegmentId> surplus(std::size_t keep) const;
  void forget(SegmentId id);
  // All that are here now come from another host.
  void all_foreign();

  // A header with this nonce is on the disk.
  void prepared(SegmentId id, std::uint64_t nonce);
  bool has_ready() const;
  // Where a frame of `size` goes: in the active segment, else in the ready one, which becomes the active one. Nothing
  // when neither has room. The place stays the same until `written`.
  struct Spot {
    SegmentId segment = 0;
    std::uint64_t position = 0;
  };
  std::optional<Spot> place(std::uint64_t size);
  void written(const Spot& spot, std::uint64_t size);
  // The active segment is so full that the next one should be prepared.
  bool wants_next() const;
  // Nothing more goes to what is active or ready: another incarnation begins.
  void retire();

  void begin_read(SegmentId id) { ++segments_.at(id).readers; }
  void end_read(SegmentId id) { --segments_.at(id).readers; }

 private:
  // Ordered as the keys are: the prefix of an incarnation, then the slot.
  std::map<std::string, std::map<std::uint64_t, Placement>, std::less<>> wals_;
  std::size_t slots_ = 0;
  std::uint64_t slot_bytes_ = 0;
  std::map<SegmentId, Segment> segments_;
  SegmentId next_id_ = 0;
  std::optional<SegmentId> active_, ready_;
};

}  // namespace millrace::disk
