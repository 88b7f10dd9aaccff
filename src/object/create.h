// The one function that decides what became of a create-only PUT. Everything durable goes through it: slots, seals,
// metadata entries, snapshots, data objects.
//
// The same bytes are put at the same name until the outcome is definite: an answer that never came means "unknown",
// never "failed" (bucket protocol rule 15). A 412 is read back: our own bytes there are a success of an earlier
// attempt, other bytes are a loss, and a 404 means that the object was deleted after it was created (rule 5).
//
//   attempt says      then
//   ok                kCreated
//   kExists           GET: same bytes -> kCreated, other bytes -> kLost (with them), kNotFound -> kDeleted
//   kUnavailable,     not applied: again after a back-off; at the deadline kRefused, or kUnknown if an
//   kExhausted        earlier attempt's outcome is unknown
//   kTimeout          unknown: again; at the deadline kUnknown (the write may still land later)
//   anything else     kRefused at once, or kUnknown if an earlier attempt's outcome is unknown
//
// Concurrency: any number at once, one thread. The references must outlive the Task.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "object/store.h"

namespace millrace::object {

enum class CreateOutcome {
  kCreated,  // the key holds our bytes, durably
  kLost,     // the key holds somebody else's bytes: `occupant`
  kDeleted,  // the key was taken, then deleted: reload (metadata log) or self-fence (slot)
  kUnknown,  // the deadline came: give the role up; the bytes may be there, now or later
  kRefused,  // definitely not applied: `error` says why
};

struct CreateResult {
  CreateOutcome outcome = CreateOutcome::kUnknown;
  std::string etag;                                    // kCreated
  Object occupant;                                     // kLost
  Error error{Code::kTimeout, "no attempt was made"};  // kUnknown, kRefused: of the last attempt
  int attempts = 0;
};

struct CreateOptions {
  SteadyTime deadline = SteadyTime::max();
  Duration backoff_min = 20ms;  // doubled per attempt, half of it random
  Duration backoff_max = 2s;
  std::function<void(const Error&)> on_retry;  // before each pause: what went wrong
};

Task<CreateResult> create_object(Store& store, Clock& clock, Random& random, std::string key, SliceChain body,
                                 CreateOptions options);

}  // namespace millrace::object
