#include "sim/variant.h"

namespace millrace::sim {

using storage::Sabotage;

const std::vector<Variant>& all_variants() {
  static const std::vector<Variant> variants = {
      {.within = 1000},
      {.name = "ack-before-durable",
       .what = "a batch is acknowledged when its slot is sent",
       .expect = Expect::kCaught,
       .within = 20,
       .sabotage = Sabotage::kAckBeforeDurable},
      {.name = "ack-out-of-order",
       .what = "a slot is acknowledged before those in front of it are durable",
       .expect = Expect::kCaught,
       .within = 20,
       .sabotage = Sabotage::kAckOutOfOrder},
      {.name = "forget-producers",
       .what = "a new leader does not rebuild the producers' state (rule 17)",
       .expect = Expect::kCaught,
       .within = 20,
       .sabotage = Sabotage::kForgetProducers},
      {.name = "ack-lost-slot",
       .what = "a writer goes on though another's bytes are in its slot (rule 15)",
       .expect = Expect::kCaught,
       .within = 100,
       .sabotage = Sabotage::kAckLostSlot},
      {.name = "ack-duplicates-early",
       .what = "a duplicate is acknowledged before its original is durable (rule 16)",
       .expect = Expect::kCaught,
       .within = 100,
       .sabotage = Sabotage::kAckDuplicatesEarly},
      {.name = "release-before-durable",
       .what = "a partition is released before its last slot is durable (rule 10)",
       .expect = Expect::kCaught,
       .within = 100,
       .sabotage = Sabotage::kReleaseBeforeDurable},
      {.name = "clean-newest",
       .what = "key compaction drops a key's newest record instead of the older ones",
       .expect = Expect::kCaught,
       .within = 20,
       .sabotage = Sabotage::kCleanNewest},
      {.name = "plain-put",
       .what = "a create-only PUT replaces what is there",
       .expect = Expect::kCaught,
       .within = 20,
       .store = StoreBreak::kPlainPut},
      {.name = "no-seal",
       .what = "recovery writes no Seal (rule 3)",
       .expect = Expect::kCaught,
       .within = 200,
       .store = StoreBreak::kNoSeal},
      {.name = "deleted-seals",
       .what = "Seals are collected (rule 3)",
       .expect = Expect::kCaught,
       .within = 400,
       .store = StoreBreak::kLosesSeals},
      {.name = "early-gc",
       .what = "slots are collected by age, registered or not (rule 8)",
       .expect = Expect::kCaught,
       .within = 20,
       .store = StoreBreak::kEarlyGc},
      {.name = "forgetful-bucket",
       .what = "the bucket answers 200 and loses one object in a hundred",
       .expect = Expect::kCaught,
       .within = 20,
       .store = StoreBreak::kForgetful},
      {.name = "lying-list",
       .what = "LIST leaves out new names and shows removed ones: nothing may rest on it",
       .within = 100,
       .store = StoreBreak::kLyingList},
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
