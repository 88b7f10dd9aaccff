// Records for the tests and fuzz targets of this room.
#pragma once

#include <vector>

#include "cluster/records.h"

namespace millrace::cluster::test {

inline Uuid topic_id(std::uint8_t n) {
  Uuid id;
  id.bytes[0] = 0x10;
  id.bytes[15] = n;
  return id;
}

// One record of every type, in the order of the variant, with every field away from its default.
inline std::vector<Record> one_of_each() {
  const PartitionId p{topic_id(1), 2};
  RegisterObjectRecord object{.key = "obj/ab/00000000000000000005-x",
                              .birth = LogSeq(5),
                              .size_bytes = 1000,
                              .extents = {},
                              .states = {},
                              .replaces_slots = {}};
  object.extents.push_back({p, 100, 200, 10, 500, 1'700'000'000'000});
  object.states.push_back({p, 200, 510, 90, 100});
  object.replaces_slots.push_back({1, Incarnation(3), SlotNumber(1), SlotNumber(400)});
  std::vector<Record> records;
  records.emplace_back(ClaimRecord{2, 1, "host:9092"});
  records.emplace_back(RegisterBrokerRecord{1, "host", 9092, "rack-a", WalKind::kDisk, 0xfeedfeedfeedfeed});
  records.emplace_back(FenceRecord{1, Incarnation(3)});
  records.emplace_back(RecoveredRecord{1, Incarnation(3), SlotNumber(1), SlotNumber(77), {{p, 1234567890123}}});
  records.emplace_back(CreateTopicRecord{topic_id(1), "orders", 6, {{"retention.ms", "5"}}, 1'700'000'000'000});
  records.emplace_back(DeleteTopicRecord{topic_id(2)});
  records.emplace_back(CreatePartitionsRecord{topic_id(1), 12});
  records.emplace_back(AlterConfigRecord{topic_id(1), {{"cleanup.policy", "compact"}, {"retention.ms", std::nullopt}}});
  records.emplace_back(AssignLeaderRecord{p, 1, Incarnation(3), 4, 200});
  records.emplace_back(ReleaseRecord{p, Incarnation(3), 4, 300, SlotNumber(9)});
  records.emplace_back(object);
  records.emplace_back(UnregisterObjectsRecord{{"obj/cd/old", "obj/ef/older"}});
  records.emplace_back(SetLogStartRecord{{{p, 150}}});
  records.emplace_back(ProducerIdsRecord{3000});
  records.emplace_back(OrphanFloorRecord{LogSeq(4)});
  records.emplace_back(MovePartitionRecord{p, 2});
  records.emplace_back(DrainBrokerRecord{1, true});
  records.emplace_back(UnregisterBrokerRecord{7});
  NewObject merged{.key = "obj/12/00000000000000000006-y",
                   .birth = LogSeq(6),
                   .size_bytes = 900,
                   .level = 3,
                   .extents = object.extents,
                   .states = object.states};
  records.emplace_back(
      RewriteObjectsRecord{{merged}, {"obj/ab/00000000000000000005-x"}, {{p, 100, "obj/cd/old"}}, {{p, 190}}});
  return records;
}

}  // namespace millrace::cluster::test
