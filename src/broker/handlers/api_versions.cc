// ApiVersions (KIP-511, KIP-584): what we understand, and nothing that we do not.
#include <algorithm>

#include "broker/dispatch.h"
#include "broker/handlers/handlers.h"

namespace millrace::broker {
namespace {

// The feature levels of Kafka 4.3 whose promises hold here. `transaction.version` stays at 0 until transactions
// exist: a producer would otherwise count on them. metadata.version 30 is 4.3-IV0, which tools take as "current".
struct Feature {
  const char* name;
  std::int16_t min;
  std::int16_t max;
  std::int16_t finalized;
};
constexpr Feature kFeatures[] = {
    {"metadata.version", 7, 30, 30},
    {"kraft.version", 0, 1, 1},
    {"transaction.version", 0, 0, 0},
    {"group.version", 0, 0, 0},
};

bool is_software_text(std::string_view text) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || !alphanumeric(text.front()) || !alphanumeric(text.back())) return false;
  return std::ranges::all_of(text, [&](char c) { return alphanumeric(c) || c == '-' || c == '.'; });
}

}  // namespace

kafka::ApiVersionsResponse api_versions(Services&, const Caller& caller, const kafka::ApiVersionsRequest& request) {
  kafka::ApiVersionsResponse response;
  if (caller.version >= 3 &&
      (!is_software_text(request.client_software_name) || !is_software_text(request.client_software_version))) {
    response.error_code = kafka::to_wire(kafka::ErrorCode::kInvalidRequest);
    return response;
  }
  for (const auto& api : kafka::kApis) {
    if (!has_handler(api.key)) continue;
    response.api_keys.push_back({static_cast<std::int16_t>(api.key), api.advertised_min, api.max_version});
  }
  for (const auto& feature : kFeatures) {
    // A lowest level of 0 breaks clients that know only up to version 3 (KAFKA-17011).
    if (feature.max > 0 && (feature.min > 0 || caller.version >= 4)) {
      response.supported_features.push_back({feature.name, feature.min, feature.max});
    }
    if (feature.finalized > 0) {
      response.finalized_features.push_back({feature.name, feature.finalized, feature.finalized});
    }
  }
  response.finalized_features_epoch = 0;
  return response;
}

}  // namespace millrace::broker
