// The one table that turns a broker's error code into an Error of ours: what to do next, and its name.
#pragma once

#include <string_view>

#include "base/result.h"
#include "kafka/errors.h"

namespace millrace::client {

// `what` names the thing that was asked: "topic orders", "partition orders-3".
Error error_of(kafka::ErrorCode code, std::string_view what, std::string_view message = {});

// The broker is not, or no longer, the one to ask: look the leader up again before repeating.
bool leader_moved(kafka::ErrorCode code);

}  // namespace millrace::client
