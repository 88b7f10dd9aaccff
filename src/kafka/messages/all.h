// Every message of this room, for tests, tools and dispatch over all of them; slow to compile.
#pragma once

#include "kafka/messages/alter_partition_reassignments.h"
#include "kafka/messages/api_versions.h"
#include "kafka/messages/consumer_protocol.h"
#include "kafka/messages/create_partitions.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/delete_groups.h"
#include "kafka/messages/delete_records.h"
#include "kafka/messages/delete_topics.h"
#include "kafka/messages/describe_cluster.h"
#include "kafka/messages/describe_configs.h"
#include "kafka/messages/describe_groups.h"
#include "kafka/messages/describe_log_dirs.h"
#include "kafka/messages/describe_quorum.h"
#include "kafka/messages/describe_topic_partitions.h"
#include "kafka/messages/elect_leaders.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/find_coordinator.h"
#include "kafka/messages/group_records.h"
#include "kafka/messages/heartbeat.h"
#include "kafka/messages/incremental_alter_configs.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/join_group.h"
#include "kafka/messages/leave_group.h"
#include "kafka/messages/list_groups.h"
#include "kafka/messages/list_offsets.h"
#include "kafka/messages/list_partition_reassignments.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/offset_commit.h"
#include "kafka/messages/offset_fetch.h"
#include "kafka/messages/offset_for_leader_epoch.h"
#include "kafka/messages/produce.h"
#include "kafka/messages/sync_group.h"
#include "kafka/messages/unregister_broker.h"

namespace millrace::kafka {

template <class... M>
struct MessageList {
  // Calls `f.template operator()<M>()` for each.
  static void for_each(auto&& f) { (f.template operator()<M>(), ...); }
};

using AllRequests =
    MessageList<ProduceRequest, FetchRequest, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest,
                OffsetFetchRequest, FindCoordinatorRequest, JoinGroupRequest, HeartbeatRequest, LeaveGroupRequest,
                SyncGroupRequest, DescribeGroupsRequest, ListGroupsRequest, ApiVersionsRequest, CreateTopicsRequest,
                DeleteTopicsRequest, DeleteRecordsRequest, InitProducerIdRequest, OffsetForLeaderEpochRequest,
                DescribeConfigsRequest, CreatePartitionsRequest, DeleteGroupsRequest, IncrementalAlterConfigsRequest,
                DescribeClusterRequest, DescribeTopicPartitionsRequest, AlterPartitionReassignmentsRequest,
                ListPartitionReassignmentsRequest, ElectLeadersRequest, DescribeQuorumRequest, UnregisterBrokerRequest,
                DescribeLogDirsRequest>;
using AllResponses =
    MessageList<ProduceResponse, FetchResponse, ListOffsetsResponse, MetadataResponse, OffsetCommitResponse,
                OffsetFetchResponse, FindCoordinatorResponse, JoinGroupResponse, HeartbeatResponse, LeaveGroupResponse,
                SyncGroupResponse, DescribeGroupsResponse, ListGroupsResponse, ApiVersionsResponse,
                CreateTopicsResponse, DeleteTopicsResponse, DeleteRecordsResponse, InitProducerIdResponse,
                OffsetForLeaderEpochResponse, DescribeConfigsResponse, CreatePartitionsResponse, DeleteGroupsResponse,
                IncrementalAlterConfigsResponse, DescribeClusterResponse, DescribeTopicPartitionsResponse,
                AlterPartitionReassignmentsResponse, ListPartitionReassignmentsResponse, ElectLeadersResponse,
                DescribeQuorumResponse, UnregisterBrokerResponse, DescribeLogDirsResponse>;
using AllStoredMessages = MessageList<ConsumerProtocolSubscription, ConsumerProtocolAssignment, OffsetCommitKey,
                                      OffsetCommitValue, GroupMetadataKey, GroupMetadataValue>;

inline void for_each_message(auto&& f) {
  AllRequests::for_each(f);
  AllResponses::for_each(f);
  AllStoredMessages::for_each(f);
}

}  // namespace millrace::kafka
