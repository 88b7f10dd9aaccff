// A disk in memory that keeps what a real one keeps, and no more: for tests and the simulation. A SimVolume is the
// device, which outlives processes; each process attaches and gets a WalDisk.
//
// What it can do to its users, and what it must not cost:
//   crash          power loss: of each sector written and not synced, the old bytes, the new ones or a mixture stay
//   die_at_step    the same in the middle of the n-th write, sync or create
//   detach         the process dies, the system lives: everything written stays
//   sync_fails     one sync answers an error and forgets some sectors: no later sync writes them, and all of them
//   succeed
//                  (as Linux does after a failed write-back). Reads see the medium, as O_DIRECT does
//   capacity       create answers kExhausted beyond it
//   slow           each step takes up to so long
// A handle whose process died answers kTimeout for ever and changes nothing. One seed decides everything. One thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "disk/wal_disk.h"

namespace millrace::disk {

struct SimDiskOptions {
  Duration latency_min = 0ms, latency_max = 0ms;  // of each step
  std::uint64_t capacity = ~std::uint64_t{0};
};

class SimVolume {
 public:
  explicit SimVolume(Random& random, SimDiskOptions options = {});

  // For a process with this clock. kExists while another process holds the volume.
  Result<std::unique_ptr<WalDisk>> attach(Clock& clock, std::string place = "sim:/wal");
  // For a process on another host, although one may hold it: no lock, and both write (a lease must tell them apart).
  std::unique_ptr<WalDisk> attach_elsewhere(Clock& clock, std::string place);
  // The process that holds it is gone; its lock too. That of another host goes on.
  void detach() { session_ = 0; }
  // The same of the process that attached when session() was this; with its host's power, if nobody else is attached.
  void detach(std::uint64_t session, bool power_lost);
  std::uint64_t session() const { return session_; }
  bool holds(std::uint64_t session) const { return session == session_ || elsewhere_.contains(session); }
  void crash();

  SimDiskOptions& options() { return options_; }
  void fail_next_sync() { sync_fails_ = true; }
  // Power is lost in the middle of that step, counted from now: 1 is the next one.
  void die_at_step(std::uint64_t steps_from_now) { die_at_ = steps_ + steps_from_now; }
  std::uint64_t steps() const { return steps_; }
  bool died() const { return died_; }
  std::uint64_t bytes() const;
  // For tests that damage what is there.
  std::string& contents(const std::string& name) { return files_.at(name).seen; }
  std::vector<std::string> names() const;

 private:
  friend class SimDisk;
  static constexpr std::size_t kSectorBytes = 512;
  struct File {
    std::string seen;                                // what was written
    std::map<std::uint64_t, std::string> old;        // what is on the medium, of sectors that were not synced
    std::map<std::uint64_t, std::string> forgotten;  // the same, of sectors that no sync will write any more
    bool name_durable = false;
  };

  // Begins a step: false when the power goes in the middle of it.
  bool step();
  std::string read(const File& file, object::ByteRange range) const;
  void change(File& file, std::uint64_t offset, std::string_view bytes);
  Result<void> sync(File& file);

  Random& random_;
  SimDiskOptions options_;
  Uuid volume_;
  std::map<std::string, File> files_;
  std::uint64_t session_ = 0;          // of the process that holds it; 0 is nobody
  std::set<std::uint64_t> elsewhere_;  // of processes on hosts that it was taken from
  std::string last_place_;
  std::uint64_t sessions_ = 0;
  std::uint64_t steps_ = 0, die_at_ = 0;
  bool died_ = false, sync_fails_ = false;
};

}  // namespace millrace::disk
