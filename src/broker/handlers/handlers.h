// One function per Kafka API, each in the file of its name. They answer for every version in kafka/apis.h; the
// codec drops what a version does not have.
//
// Handlers that wait are Tasks and own their request. Strings in a request point into its frame, which
// outlives the Task (dispatch.cc). An error instead of a response closes the connection.
#pragma once

#include "base/task.h"
#include "broker/services.h"
#include "kafka/messages/all.h"

namespace millrace::broker {

// A Fetch response may hold batches in many pieces, which its struct cannot say: see fetch.cc.
struct FetchReply {
  kafka::FetchResponse response;
  // In the order of the partitions that carry records.
  std::vector<SliceChain> records;
};
struct ProduceReply {
  kafka::ProduceResponse response;
  bool silent = false;  // acks=0
};

kafka::ApiVersionsResponse api_versions(Services&, const Caller&, const kafka::ApiVersionsRequest&);
Task<kafka::MetadataResponse> metadata(Services&, Caller, kafka::MetadataRequest);
Task<Result<ProduceReply>> produce(Services&, Caller, kafka::ProduceRequest);
Task<FetchReply> fetch(Services&, Caller, kafka::FetchRequest);
Task<kafka::ListOffsetsResponse> list_offsets(Services&, Caller, kafka::ListOffsetsRequest);
kafka::OffsetForLeaderEpochResponse offset_for_leader_epoch(Services&, const Caller&,
                                                            const kafka::OffsetForLeaderEpochRequest&);
Task<kafka::DeleteRecordsResponse> delete_records(Services&, Caller, kafka::DeleteRecordsRequest);
Task<kafka::InitProducerIdResponse> init_producer_id(Services&, Caller, kafka::InitProducerIdRequest);

Task<kafka::CreateTopicsResponse> create_topics(Services&, Caller, kafka::CreateTopicsRequest);
Task<kafka::DeleteTopicsResponse> delete_topics(Services&, Caller, kafka::DeleteTopicsRequest);
Task<kafka::CreatePartitionsResponse> create_partitions(Services&, Caller, kafka::CreatePartitionsRequest);
kafka::DescribeConfigsResponse describe_configs(Services&, const Caller&, const kafka::DescribeConfigsRequest&);
Task<kafka::IncrementalAlterConfigsResponse> incremental_alter_configs(Services&, Caller,
                                                                       kafka::IncrementalAlterConfigsRequest);
kafka::DescribeClusterResponse describe_cluster(Services&, const Caller&, const kafka::DescribeClusterRequest&);
kafka::DescribeTopicPartitionsResponse describe_topic_partitions(Services&, const Caller&,
                                                                 const kafka::DescribeTopicPartitionsRequest&);

Task<kafka::AlterPartitionReassignmentsResponse> alter_partition_reassignments(
    Services&, Caller, kafka::AlterPartitionReassignmentsRequest);
kafka::ListPartitionReassignmentsResponse list_partition_reassignments(Services&, const Caller&,
                                                                       const kafka::ListPartitionReassignmentsRequest&);
kafka::ElectLeadersResponse elect_leaders(Services&, const Caller&, const kafka::ElectLeadersRequest&);
Task<kafka::DescribeQuorumResponse> describe_quorum(Services&, Caller, kafka::DescribeQuorumRequest);
Task<kafka::UnregisterBrokerResponse> unregister_broker(Services&, Caller, kafka::UnregisterBrokerRequest);
kafka::DescribeLogDirsResponse describe_log_dirs(Services&, const Caller&, const kafka::DescribeLogDirsRequest&);

Task<kafka::FindCoordinatorResponse> find_coordinator(Services&, Caller, kafka::FindCoordinatorRequest);
Task<kafka::JoinGroupResponse> join_group(Services&, Caller, kafka::JoinGroupRequest);
Task<kafka::SyncGroupResponse> sync_group(Services&, Caller, kafka::SyncGroupRequest);
kafka::HeartbeatResponse heartbeat(Services&, const Caller&, const kafka::HeartbeatRequest&);
kafka::LeaveGroupResponse leave_group(Services&, const Caller&, const kafka::LeaveGroupRequest&);
Task<kafka::OffsetCommitResponse> offset_commit(Services&, Caller, kafka::OffsetCommitRequest);
Task<kafka::OffsetFetchResponse> offset_fetch(Services&, Caller, kafka::OffsetFetchRequest);
kafka::DescribeGroupsResponse describe_groups(Services&, const Caller&, const kafka::DescribeGroupsRequest&);
kafka::ListGroupsResponse list_groups(Services&, const Caller&, const kafka::ListGroupsRequest&);
Task<kafka::DeleteGroupsResponse> delete_groups(Services&, Caller, kafka::DeleteGroupsRequest);

}  // namespace millrace::broker
