// Does this store keep the promises that Millrace's correctness rests on? Tried out, not believed: stores that claim
// S3 compatibility have ignored If-None-Match or let two creators win. Run at start and by `millrace bucket probe`.
//
// Writes below probe/<nonce>/ and removes it again. A check that fails names what was expected and what came; a store
// that cannot be reached answers an Error instead of a report. One thread.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "object/store.h"

namespace millrace::object {

struct ProbeOptions {
  int creators = 32;       // per round
  int rounds = 3;          // 200 for a thorough one
  Duration patience = 5s;  // with passing trouble, per request
};

struct ProbeCheck {
  std::string name;
  bool passed = false;
  std::string detail;  // when it did not pass
};

struct ProbeReport {
  std::vector<ProbeCheck> checks;
  Duration put_p50{}, put_max{}, get_p50{};
  bool passed() const;
  // What failed, one line each; empty when all passed.
  std::string failures() const;
};

Task<Result<ProbeReport>> probe_store(Store& store, Executor executor, Clock& clock, Random& random,
                                      ProbeOptions options);

}  // namespace millrace::object
