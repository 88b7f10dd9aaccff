// A described cluster as text for a terminal and as JSON for programs. Pure functions.
#pragma once

#include <string>

#include "cluster/description.h"

namespace millrace::app {

// "live", "fenced" (its WAL is recovered), "recovering" (fenced, and not yet), "draining".
std::string state_of(const cluster::BrokerDescription& broker);
std::string status_text(const std::string& cluster_id, const cluster::ClusterDescription& cluster);
std::string status_json(const std::string& cluster_id, const cluster::ClusterDescription& cluster);

}  // namespace millrace::app
