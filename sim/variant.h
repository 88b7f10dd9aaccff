// Variants of the system under test: sound code, or one safeguard broken, to show that the checkers see the difference.
#pragma once

#include <string>
#include <vector>

#include "storage/api.h"

namespace millrace::sim {

struct Variant {
  std::string name = "none";
  storage::Sabotage sabotage = storage::Sabotage::kNone;
  bool sound() const { return name == "none"; }
};

// The sound one first.
const std::vector<Variant>& all_variants();
const Variant* find_variant(const std::string& name);

}  // namespace millrace::sim
