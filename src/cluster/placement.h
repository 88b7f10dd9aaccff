// Who leads what, as pure functions of the committed state: first leaders of new partitions, next leaders of those that
// nobody leads, moves away from brokers that drain. `brokers` are those that may lead, by id; with none nothing is
// placed. Cost: linear in all partitions, when there is anything to do.
#pragma once

#include <vector>

#include "cluster/state.h"

namespace millrace::cluster {

using Candidates = std::vector<const BrokerState*>;

// Partitions [from, to) of a topic that is being made or grows, in turn over the brokers.
void assign_new(const MetadataState& state, const Candidates& brokers, const Uuid& topic_id, std::int32_t from,
                std::int32_t to, std::vector<Record>& out);
// The target of the move that this Release belongs to; nothing when there is none or it is not live.
void assign_moved(const MetadataState& state, const ReleaseRecord& released, std::vector<Record>& out);
// Partitions without a leader: to the target of their move, else to the last leader's next incarnation, else to whoever
// leads the fewest. At most 10,000 at a time.
std::vector<Record> assign_leaderless(const MetadataState& state, const Candidates& brokers);
// MovePartition for what draining brokers lead and is not moved yet. At most 10,000 at a time.
std::vector<Record> moves_off_draining(const MetadataState& state, const Candidates& brokers);

}  // namespace millrace::cluster
