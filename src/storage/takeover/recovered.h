// RecoveredWals: what this process read when it recovered WALs. All who lead their partitions next ask for their part
// of it (rule 43), so a WAL that is over is read once, and not by every broker. What lies below a Seal never changes,
// so what is told here holds for ever. Kept for `kRecoveredKept`: about 50 bytes a batch. One thread.
#pragma once

#include <map>

#include "storage/takeover/handover_codec.h"

namespace millrace::storage {

inline constexpr Duration kRecoveredKept = 30s;

class RecoveredWals {
 public:
  explicit RecoveredWals(Clock& clock) : clock_(clock) {}

  void add(cluster::WalId wal, RecoveredWal read);
  void forget_old();
  // kNotFound: that WAL, or one of those slots, was not read here, or too long ago.
  Result<std::vector<RecoveredSlot>> answer(const FootersWish& wish) const;

 private:
  struct Recovered {
    RecoveredWal wal;
    SteadyTime since{};
  };

  Clock& clock_;
  std::map<cluster::WalId, Recovered> recovered_;
};

}  // namespace millrace::storage
