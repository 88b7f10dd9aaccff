#include "broker/errors.h"

namespace millrace::broker {

using kafka::ErrorCode;

kafka::ErrorCode code_of_change(const Error& error) {
  switch (error.code()) {
    case Code::kInvalid: return ErrorCode::kInvalidRequest;
    case Code::kNotFound: return ErrorCode::kUnknownTopicOrPartition;
    case Code::kExists: return ErrorCode::kTopicAlreadyExists;
    case Code::kUnsupported: return ErrorCode::kInvalidRequest;
    case Code::kDenied: return ErrorCode::kClusterAuthorizationFailed;
    case Code::kTimeout:
    case Code::kUnavailable:
    case Code::kExhausted: return ErrorCode::kRequestTimedOut;
    case Code::kFenced:
    case Code::kCancelled: return ErrorCode::kNotController;  // retriable: another broker may answer
    case Code::kCorrupt:
    case Code::kInternal: return ErrorCode::kUnknownServerError;
  }
  return ErrorCode::kUnknownServerError;
}

kafka::ErrorCode code_of_read(const Error& error) {
  switch (error.code()) {
    case Code::kInvalid: return ErrorCode::kOffsetOutOfRange;
    case Code::kFenced:
    case Code::kNotFound:
    case Code::kCancelled: return ErrorCode::kNotLeaderOrFollower;
    case Code::kTimeout:
    case Code::kUnavailable:
    case Code::kExhausted: return ErrorCode::kKafkaStorageError;  // retriable
    case Code::kCorrupt: return ErrorCode::kCorruptMessage;
    default: return ErrorCode::kUnknownServerError;
  }
}

kafka::ErrorCode code_of(storage::AppendRefusal refusal) {
  switch (refusal) {
    case storage::AppendRefusal::kNotLeader:
    case storage::AppendRefusal::kStopped: return ErrorCode::kNotLeaderOrFollower;
    case storage::AppendRefusal::kOutOfOrderSequence: return ErrorCode::kOutOfOrderSequenceNumber;
    case storage::AppendRefusal::kInvalidProducerEpoch: return ErrorCode::kInvalidProducerEpoch;
    case storage::AppendRefusal::kOverloaded: return ErrorCode::kNotEnoughReplicas;  // retriable, nothing was appended
  }
  return ErrorCode::kUnknownServerError;
}

kafka::ErrorCode code_of_lost_append(const Error& error) {
  // Whether the batch is there is decided by recovery: an idempotent client repeats it and is told.
  if (error.code() == Code::kFenced || error.code() == Code::kCancelled) return ErrorCode::kNotLeaderOrFollower;
  return ErrorCode::kNotEnoughReplicasAfterAppend;
}

}  // namespace millrace::broker
