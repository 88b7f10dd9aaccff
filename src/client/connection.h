// One negotiated channel to a broker: versions (ApiVersions), correlation ids, timeouts.
//
// Always owned by shared_ptr: a request that nobody waits for any more keeps it alive until its reply
// comes. After a timeout, a broken reply or a channel error `broken()` is true and the owner connects anew,
// because replies come in order and the channel would stay stuck behind the lost one. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"
#include "client/client.h"
#include "kafka/apis.h"
#include "kafka/codec.h"

namespace millrace::client {

// A request on its way; `reply` is set before `done`.
struct Exchange {
  Event done;
  std::optional<Result<Slice>> reply;
  std::int32_t correlation_id = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Executor executor, Clock& clock, std::unique_ptr<Channel> channel, std::string client_id);

  // Asks for the broker's versions; first of all.
  Task<Result<void>> negotiate(SteadyTime deadline);

  bool broken() const { return broken_; }
  void set_broken() {
    broken_ = true;
    channel_->close();
  }

  // The newest version up to `ours_max` that both sides have.
  Result<std::int16_t> version_for(kafka::ApiKey key, std::int16_t ours_max) const;

  // Sends now, in the order of these calls; the reply is fetched with `answer`. Null when it cannot be encoded
  // (then `error` says why).
  template <class Request>
  Result<std::shared_ptr<Exchange>> start(const Request& request, std::int16_t version) {
    TRY(SliceChain frame, kafka::encode_request(header(version), request));
    return send(std::move(frame));
  }
  template <class Response>
  Task<Result<Response>> answer(std::shared_ptr<Exchange> exchange, std::int16_t version, SteadyTime deadline) {
    const kafka::Api& api = *kafka::find_api(Response::kInfo.api_key);
    CO_TRY(const Slice body, co_await body_of(shared_from_this(), std::move(exchange), api, version, deadline));
    co_return kafka::decode<Response>(body, version);
  }
  // Views in `request` must live until this returns.
  template <class Response, class Request>
  Task<Result<Response>> ask(Request request, std::int16_t ours_max, SteadyTime deadline) {
    CO_TRY(const std::int16_t version, version_for(static_cast<kafka::ApiKey>(Request::kInfo.api_key), ours_max));
    CO_TRY(auto exchange, start(request, version));
    co_return co_await answer<Response>(std::move(exchange), version, deadline);
  }

 private:
  struct Range {
    std::int16_t min = 0, max = -1;
  };
  kafka::RequestHeader header(std::int16_t version);
  std::shared_ptr<Exchange> send(SliceChain frame);
  static Task<void> run(std::shared_ptr<Connection> self, SliceChain frame, std::shared_ptr<Exchange> exchange);
  static Task<Result<Slice>> body_of(std::shared_ptr<Connection> self, std::shared_ptr<Exchange> exchange,
                                     const kafka::Api& api, std::int16_t version, SteadyTime deadline);

  Executor executor_;
  Clock& clock_;
  std::unique_ptr<Channel> channel_;
  std::string client_id_;
  std::int32_t next_correlation_ = 1;
  bool broken_ = false;
  std::array<Range, 128> versions_{};
};

}  // namespace millrace::client
