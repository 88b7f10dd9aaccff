#include "kafka/codec_impl.h"
#include "kafka/messages/alter_partition_reassignments.h"
#include "kafka/messages/elect_leaders.h"
#include "kafka/messages/list_partition_reassignments.h"

namespace millrace::kafka {

template struct Codec<AlterPartitionReassignmentsRequest>;
template struct Codec<AlterPartitionReassignmentsResponse>;
template struct Codec<ListPartitionReassignmentsRequest>;
template struct Codec<ListPartitionReassignmentsResponse>;
template struct Codec<ElectLeadersRequest>;
template struct Codec<ElectLeadersResponse>;

}  // namespace millrace::kafka
