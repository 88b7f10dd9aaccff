// Rewriter: the background loop of what makes objects of objects, merges and key compaction, one at a time, so that the
// two do not take each other's inputs away on the same broker. One thread.
#pragma once

#include "storage/compaction/cleaner.h"
#include "storage/compaction/merger.h"

namespace millrace::storage {

class Rewriter {
 public:
  explicit Rewriter(EngineParts& parts) : parts_(parts), cleaner_(parts), merger_(parts) {}

  Task<void> run(Event& stopping);
  Cleaner& cleaner() { return cleaner_; }
  Merger& merger() { return merger_; }

 private:
  bool goes_on(Result<bool> done, const char* what);

  EngineParts& parts_;
  Cleaner cleaner_;
  Merger merger_;
};

}  // namespace millrace::storage
