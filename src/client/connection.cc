#include "client/connection.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/kafka_error.h"
#include "kafka/messages/api_versions.h"

namespace millrace::client {

using kafka::ApiVersionsRequest;
using kafka::ApiVersionsResponse;

Connection::Connection(Executor executor, Clock& clock, std::unique_ptr<Channel> channel, std::string client_id)
    : executor_(std::move(executor)), clock_(clock), channel_(std::move(channel)), client_id_(std::move(client_id)) {}

kafka::RequestHeader Connection::header(std::int16_t version) {
  return {.api_version = version, .correlation_id = next_correlation_++, .client_id = client_id_};
}

Task<Result<void>> Connection::negotiate(SteadyTime deadline) {
  ApiVersionsRequest request;
  request.client_software_name = "millrace";
  request.client_software_version = "0.1";
  // A broker that does not know version 3 answers in version 0, with error 35 (KIP-511).
  CO_TRY(auto exchange, start(request, 3));
  const kafka::Api& api = *kafka::find_api(ApiVersionsRequest::kInfo.api_key);
  CO_TRY(const Slice body, co_await body_of(shared_from_this(), exchange, api, 3, deadline));
  auto response = kafka::decode<ApiVersionsResponse>(body, 3);
  if (!response || response->error_code == kafka::to_wire(kafka::ErrorCode::kUnsupportedVersion)) {
    CO_TRY(auto older, start(ApiVersionsRequest{}, 0));
    response = co_await answer<ApiVersionsResponse>(std::move(older), 0, deadline);
  }
  if (!response) co_return fail(std::move(response).error());
  if (response->error_code != 0) {
    co_return fail(error_of(kafka::error_from_wire(response->error_code), "ApiVersions"));
  }
  for (const auto& api_range : response->api_keys) {
    if (api_range.api_key < 0 || api_range.api_key >= static_cast<std::int16_t>(versions_.size())) continue;
    versions_[static_cast<std::size_t>(api_range.api_key)] = {api_range.min_version, api_range.max_version};
  }
  co_return Result<void>();
}

Result<std::int16_t> Connection::version_for(kafka::ApiKey key, std::int16_t ours_max) const {
  const kafka::Api& api = *kafka::find_api(static_cast<std::int16_t>(key));
  const Range theirs = versions_[static_cast<std::size_t>(key)];
  const auto newest = std::min({ours_max, api.max_version, theirs.max});
  if (newest < std::max(api.min_version, theirs.min)) {
    return fail(Code::kUnsupported,
                fmt::format("the broker has {} versions {} to {}, this client {} to {}", api.name, theirs.min,
                            theirs.max, api.min_version, std::min(ours_max, api.max_version)));
  }
  return newest;
}

std::shared_ptr<Exchange> Connection::send(SliceChain frame) {
  auto exchange = std::make_shared<Exchange>();
  exchange->correlation_id = next_correlation_ - 1;
  spawn_on(executor_, run(shared_from_this(), std::move(frame), exchange));
  return exchange;
}

Task<void> Connection::run(std::shared_ptr<Connection> self, SliceChain frame, std::shared_ptr<Exchange> exchange) {
  if (self->broken_) {
    exchange->reply = fail(Code::kUnavailable, "the connection is broken");
  } else {
    exchange->reply = co_await self->channel_->call(std::move(frame));
    if (!*exchange->reply) self->set_broken();
  }
  exchange->done.set();
}

Task<Result<Slice>> Connection::body_of(std::shared_ptr<Connection> self, std::shared_ptr<Exchange> exchange,
                                        const kafka::Api& api, std::int16_t version, SteadyTime deadline) {
  if (!co_await exchange->done.wait_until(self->clock_, deadline)) {
    self->set_broken();
    co_return fail(Code::kTimeout, fmt::format("no answer to {} in time", api.name));
  }
  if (!*exchange->reply) co_return fail(Error(exchange->reply->error()));
  auto response = kafka::decode_response_header(**exchange->reply, api, version);
  if (response && response->correlation_id == exchange->correlation_id) co_return response->body;
  self->set_broken();
  if (!response) co_return fail(std::move(response).error());
  co_return fail(Code::kCorrupt, fmt::format("{} answered with correlation id {} instead of {}", api.name,
                                             response->correlation_id, exchange->correlation_id));
}

}  // namespace millrace::client
