#include "client/kafka_error.h"

#include <fmt/format.h>

namespace millrace::client {
namespace {

using kafka::ErrorCode;

Code code_for(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kUnknownTopicId: return Code::kNotFound;
    case ErrorCode::kTopicAlreadyExists: return Code::kExists;
    case ErrorCode::kRequestTimedOut: return Code::kTimeout;
    case ErrorCode::kTopicAuthorizationFailed:
    case ErrorCode::kGroupAuthorizationFailed:
    case ErrorCode::kClusterAuthorizationFailed:
    case ErrorCode::kTransactionalIdAuthorizationFailed:
    case ErrorCode::kSaslAuthenticationFailed: return Code::kDenied;
    case ErrorCode::kUnsupportedVersion:
    case ErrorCode::kUnsupportedForMessageFormat:
    case ErrorCode::kUnsupportedCompressionType: return Code::kUnsupported;
    case ErrorCode::kInvalidProducerEpoch:
    case ErrorCode::kProducerFenced: return Code::kFenced;
    case ErrorCode::kThrottlingQuotaExceeded: return Code::kExhausted;
    case ErrorCode::kUnknownServerError: return Code::kInternal;
    default: return kafka::retriable(code) ? Code::kUnavailable : Code::kInvalid;
  }
}

}  // namespace

Error error_of(ErrorCode code, std::string_view what, std::string_view message) {
  std::string text = fmt::format("{}: {}", what, kafka::name(code));
  if (kafka::name(code) == "UNKNOWN_CODE") text += fmt::format(" {}", kafka::to_wire(code));
  if (!message.empty()) text += fmt::format(" ({})", message);
  return {code_for(code), std::move(text)};
}

bool leader_moved(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kLeaderNotAvailable:
    case ErrorCode::kNotLeaderOrFollower:
    case ErrorCode::kReplicaNotAvailable:
    case ErrorCode::kFencedLeaderEpoch:
    case ErrorCode::kUnknownLeaderEpoch:
    case ErrorCode::kKafkaStorageError:
    case ErrorCode::kListenerNotFound:
    case ErrorCode::kBrokerNotAvailable: return true;
    default: return false;
  }
}

}  // namespace millrace::client
