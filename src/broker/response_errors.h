// Counts the error codes of a response for the metrics: those of its top level and of what it lists.
#pragma once

#include <cstdint>

#include "broker/metrics.h"
#include "kafka/messages/all.h"

namespace millrace::broker {

// Finds every `error_code` of a message through its own description.
class ErrorCounter {
 public:
  ErrorCounter(BrokerMetrics& metrics, std::size_t api_row) : metrics_(metrics), api_row_(api_row) {}

  template <class F>
  void operator()(const char* name, const F& field, kafka::Field = {}) {
    if constexpr (std::is_same_v<F, std::int16_t>) {
      if (field != 0 && std::string_view(name) == "error_code") {
        metrics_.on_error(api_row_, kafka::error_from_wire(field));
      }
    } else if constexpr (requires { F::value_type::visit(*this, *field.begin()); }) {
      for (const auto& each : field) F::value_type::visit(*this, each);
    }
  }

 private:
  BrokerMetrics& metrics_;
  std::size_t api_row_;
};

template <class Response>
void count_errors(BrokerMetrics& metrics, std::size_t api_row, const Response& response) {
  ErrorCounter counter(metrics, api_row);
  Response::visit(counter, response);
}

}  // namespace millrace::broker
