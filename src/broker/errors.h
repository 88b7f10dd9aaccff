// The one table of this door: our errors as Kafka's codes.
#pragma once

#include "base/result.h"
#include "kafka/errors.h"
#include "storage/api.h"

namespace millrace::broker {

// For errors of the cluster (topic changes). Partition reads have a table of their own.
kafka::ErrorCode code_of_change(const Error& error);
kafka::ErrorCode code_of_read(const Error& error);
kafka::ErrorCode code_of(storage::AppendRefusal refusal);
// For an append that was taken but not acknowledged.
kafka::ErrorCode code_of_lost_append(const Error& error);

}  // namespace millrace::broker
