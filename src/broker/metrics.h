// The broker's metrics. Labels are bounded: an API, an error name, a direction. Counters that the hot path
// touches once per request are kept as plain numbers beside the Prometheus ones, for the status page.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/metrics.h"
#include "kafka/apis.h"
#include "kafka/errors.h"

namespace millrace::broker {

inline constexpr std::size_t kApiCount = std::size(kafka::kApis);

class BrokerMetrics {
 public:
  explicit BrokerMetrics(Metrics& metrics);

  struct ApiCounters {
    std::uint64_t requests = 0;
    std::uint64_t errors = 0;
    double seconds = 0;
    Counter* requests_total = nullptr;
    Histogram* latency_seconds = nullptr;
  };

  void on_request(std::size_t api_row, double seconds);
  // Each error code that a response carries, partitions counted one by one.
  void on_error(std::size_t api_row, kafka::ErrorCode code);
  void on_connection(bool opened, std::size_t now_open);
  void on_bytes_in(std::size_t bytes);
  void on_bytes_out(std::size_t bytes);
  void on_in_flight(std::size_t bytes, std::size_t requests, std::size_t reply_bytes);

  // Why a connection was closed by us.
  enum class CloseReason { kIdle, kBadFrame, kBadRequest, kTooMany, kPeer, kCount };
  void on_close(CloseReason reason);
  void on_admission_wait() { admission_waits_.Increment(); }
  void set_group_lag(const std::string& group, std::int64_t lag);
  void drop_group_lag(const std::string& group);

  const std::array<ApiCounters, kApiCount>& apis() const { return apis_; }
  std::uint64_t bytes_in() const { return bytes_in_count_; }
  std::uint64_t bytes_out() const { return bytes_out_count_; }

  // Record bytes and batches taken and given, over all topics.
  Counter& produced_bytes;
  Counter& fetched_bytes;
  Counter& produced_batches;
  Counter& short_fetches;

 private:
  Metrics& metrics_;
  std::array<ApiCounters, kApiCount> apis_{};
  std::map<std::pair<std::size_t, kafka::ErrorCode>, Counter*> errors_;
  std::array<Counter*, static_cast<std::size_t>(CloseReason::kCount)> closes_{};
  std::map<std::string, Gauge*> group_lags_;
  Counter& bytes_in_;
  Counter& bytes_out_;
  Counter& connections_opened_;
  Counter& admission_waits_;
  Gauge& connections_;
  Gauge& in_flight_bytes_;
  Gauge& in_flight_requests_;
  Gauge& reply_bytes_;
  std::uint64_t bytes_in_count_ = 0, bytes_out_count_ = 0;
};

}  // namespace millrace::broker
