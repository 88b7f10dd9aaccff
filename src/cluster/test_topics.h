// For the tests of this room.
#pragma once

#include <string>
#include <utility>

#include "cluster/api.h"

namespace millrace::cluster {

inline Task<Result<Uuid>> make_topic(Cluster& cluster, std::string name, std::int32_t partitions) {
  NewTopicSpec spec;
  spec.name = std::move(name);
  spec.partitions = partitions;
  co_return co_await cluster.create_topic(std::move(spec));
}

}  // namespace millrace::cluster
