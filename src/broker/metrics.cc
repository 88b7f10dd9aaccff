#include "broker/metrics.h"

namespace millrace::broker {
namespace {

constexpr std::size_t kGroupLagsMax = 1000;  // groups beyond have no lag metric
constexpr const char* kCloseReasons[] = {"idle", "bad_frame", "bad_request", "too_many", "peer"};

}  // namespace

BrokerMetrics::BrokerMetrics(Metrics& metrics)
    : produced_bytes(metrics.counter("millrace_broker_produced_bytes_total", "Bytes of record batches appended.")),
      fetched_bytes(
          metrics.counter("millrace_broker_fetched_bytes_total", "Bytes of record batches sent to consumers.")),
      produced_batches(metrics.counter("millrace_broker_produced_batches_total", "Record batches appended.")),
      short_fetches(metrics.counter("millrace_broker_short_fetches_total",
                                    "Fetch answers cut short because of queued.max.response.bytes.")),
      metrics_(metrics),
      bytes_in_(metrics.counter("millrace_broker_bytes_total", "Bytes on Kafka connections.", {{"direction", "in"}})),
      bytes_out_(metrics.counter("millrace_broker_bytes_total", "Bytes on Kafka connections.", {{"direction", "out"}})),
      connections_opened_(metrics.counter("millrace_broker_connections_opened_total", "Kafka connections accepted.")),
      admission_waits_(
          metrics.counter("millrace_broker_admission_waits_total",
                          "Times that a connection was not read from because of queued.max.request.bytes.")),
      connections_(metrics.gauge("millrace_broker_connections", "Open Kafka connections.")),
      in_flight_bytes_(metrics.gauge("millrace_broker_in_flight_bytes", "Bytes of requests in work.")),
      in_flight_requests_(metrics.gauge("millrace_broker_in_flight_requests", "Requests in work.")),
      reply_bytes_(metrics.gauge("millrace_broker_reply_bytes", "Bytes of Fetch answers read and not yet sent.")) {
  for (std::size_t row = 0; row < kApiCount; ++row) {
    const Labels labels{{"api", std::string(kafka::kApis[row].name)}};
    apis_[row].requests_total = &metrics.counter("millrace_broker_requests_total", "Requests answered.", labels);
    apis_[row].latency_seconds =
        &metrics.histogram("millrace_broker_request_seconds", "From the whole request received to its response ready.",
                           Metrics::latency_bounds(), labels);
  }
  for (std::size_t i = 0; i < closes_.size(); ++i) {
    closes_[i] = &metrics.counter("millrace_broker_connections_closed_total", "Connections closed, by reason.",
                                  {{"reason", kCloseReasons[i]}});
  }
}

void BrokerMetrics::on_request(std::size_t api_row, double seconds) {
  auto& api = apis_[api_row];
  ++api.requests;
  api.seconds += seconds;
  api.requests_total->Increment();
  api.latency_seconds->Observe(seconds);
}

void BrokerMetrics::on_error(std::size_t api_row, kafka::ErrorCode code) {
  ++apis_[api_row].errors;
  auto& counter = errors_[{api_row, code}];
  if (!counter) {
    counter = &metrics_.counter(
        "millrace_broker_errors_total", "Error codes in responses.",
        {{"api", std::string(kafka::kApis[api_row].name)}, {"error", std::string(kafka::name(code))}});
  }
  counter->Increment();
}

void BrokerMetrics::on_connection(bool opened, std::size_t now_open) {
  if (opened) connections_opened_.Increment();
  connections_.Set(static_cast<double>(now_open));
}

void BrokerMetrics::on_bytes_in(std::size_t bytes) {
  bytes_in_count_ += bytes;
  bytes_in_.Increment(static_cast<double>(bytes));
}

void BrokerMetrics::on_bytes_out(std::size_t bytes) {
  bytes_out_count_ += bytes;
  bytes_out_.Increment(static_cast<double>(bytes));
}

void BrokerMetrics::on_in_flight(std::size_t bytes, std::size_t requests, std::size_t reply_bytes) {
  in_flight_bytes_.Set(static_cast<double>(bytes));
  in_flight_requests_.Set(static_cast<double>(requests));
  reply_bytes_.Set(static_cast<double>(reply_bytes));
}

void BrokerMetrics::on_close(CloseReason reason) { closes_[static_cast<std::size_t>(reason)]->Increment(); }

void BrokerMetrics::set_group_lag(const std::string& group, std::int64_t lag) {
  auto found = group_lags_.find(group);
  if (found == group_lags_.end()) {
    if (group_lags_.size() >= kGroupLagsMax) return;
    // The name that Kafka exporters use, so that their dashboards work.
    auto& gauge = metrics_.gauge("kafka_consumergroup_lag_sum", "Records that a group has not committed yet.",
                                 {{"consumergroup", group}});
    found = group_lags_.emplace(group, &gauge).first;
  }
  found->second->Set(static_cast<double>(lag));
}

void BrokerMetrics::drop_group_lag(const std::string& group) {
  const auto found = group_lags_.find(group);
  if (found == group_lags_.end()) return;
  found->second->Set(0);
  group_lags_.erase(found);
}

}  // namespace millrace::broker
