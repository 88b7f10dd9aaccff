#include "sim/variant.h"

namespace millrace::sim {

const std::vector<Variant>& all_variants() {
  using storage::Sabotage;
  static const std::vector<Variant> variants = {
      {.name = "none"},
      {.name = "ack-before-durable", .sabotage = Sabotage::kAckBeforeDurable},
      {.name = "ack-out-of-order", .sabotage = Sabotage::kAckOutOfOrder},
      {.name = "forget-producers", .sabotage = Sabotage::kForgetProducers},
  };
  return variants;
}

const Variant* find_variant(const std::string& name) {
  for (const auto& variant : all_variants()) {
    if (variant.name == name) return &variant;
  }
  return nullptr;
}

}  // namespace millrace::sim
