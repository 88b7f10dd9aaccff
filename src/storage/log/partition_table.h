// The partitions that this process leads, as far as they are open. One thread.
#pragma once

#include <memory>
#include <unordered_map>

#include "storage/log/led_partition.h"

namespace millrace::storage {

struct PartitionIdHash {
  std::size_t operator()(const PartitionId& id) const {
    return std::hash<Uuid>{}(id.topic_id) * 31 + static_cast<std::size_t>(id.partition);
  }
};

using PartitionTable = std::unordered_map<PartitionId, std::shared_ptr<LedPartition>, PartitionIdHash>;

}  // namespace millrace::storage
