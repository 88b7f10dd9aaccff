// InitProducerId: a producer id and epoch for idempotent and transactional producers (KIP-98, KIP-360).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "kafka/message.h"

namespace millrace::kafka {

struct InitProducerIdRequest {
  static constexpr MessageInfo kInfo{"InitProducerIdRequest", 22, 0, 5, 2};

  std::optional<std::string_view> transactional_id;
  std::int32_t transaction_timeout_ms = 0;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;

  static void visit(auto& a, auto& m) {
    a("transactional_id", m.transactional_id);
    a("transaction_timeout_ms", m.transaction_timeout_ms);
    a("producer_id", m.producer_id, since(3));
    a("producer_epoch", m.producer_epoch, since(3));
  }
  bool operator==(const InitProducerIdRequest&) const = default;
};

struct InitProducerIdResponse {
  static constexpr MessageInfo kInfo{"InitProducerIdResponse", 22, 0, 5, 2};

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = 0;

  static void visit(auto& a, auto& m) {
    a("throttle_time_ms", m.throttle_time_ms);
    a("error_code", m.error_code);
    a("producer_id", m.producer_id);
    a("producer_epoch", m.producer_epoch);
  }
  bool operator==(const InitProducerIdResponse&) const = default;
};

}  // namespace millrace::kafka
