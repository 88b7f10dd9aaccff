// The Kafka APIs whose messages this room knows: one row each, with the versions of Kafka 4.3. Dispatch,
// ApiVersions, metrics names and fuzz targets are made from these rows.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::kafka {

// IsolationLevel of Fetch and ListOffsets (KIP-98).
inline constexpr std::int8_t kReadCommitted = 1;

enum class ApiKey : std::int16_t {
  kProduce = 0,
  kFetch = 1,
  kListOffsets = 2,
  kMetadata = 3,
  kOffsetCommit = 8,
  kOffsetFetch = 9,
  kFindCoordinator = 10,
  kJoinGroup = 11,
  kHeartbeat = 12,
  kLeaveGroup = 13,
  kSyncGroup = 14,
  kDescribeGroups = 15,
  kListGroups = 16,
  kApiVersions = 18,
  kCreateTopics = 19,
  kDeleteTopics = 20,
  kDeleteRecords = 21,
  kInitProducerId = 22,
  kOffsetForLeaderEpoch = 23,
  kDescribeConfigs = 32,
  kDescribeLogDirs = 35,
  kCreatePartitions = 37,
  kDeleteGroups = 42,
  kElectLeaders = 43,
  kIncrementalAlterConfigs = 44,
  kAlterPartitionReassignments = 45,
  kListPartitionReassignments = 46,
  kDescribeQuorum = 55,
  kDescribeCluster = 60,
  kUnregisterBroker = 64,
  kDescribeTopicPartitions = 75,
};

struct Api {
  ApiKey key;
  std::string_view name;
  std::int16_t min_version;
  std::int16_t max_version;
  // What ApiVersions says; lower than min_version only where clients infer features from it (KAFKA-18659).
  std::int16_t advertised_min;
  std::int16_t flexible_since;

  constexpr bool supports(std::int16_t version) const { return version >= min_version && version <= max_version; }
  constexpr bool flexible(std::int16_t version) const { return version >= flexible_since; }
  constexpr std::int16_t request_header_version(std::int16_t version) const { return flexible(version) ? 2 : 1; }
  // ApiVersions answers clients whose versions it does not know yet, so its header never changes (KIP-511).
  constexpr std::int16_t response_header_version(std::int16_t version) const {
    return flexible(version) && key != ApiKey::kApiVersions ? 1 : 0;
  }
};

inline constexpr Api kApis[] = {
    {ApiKey::kProduce, "Produce", 3, 13, 0, 9},
    {ApiKey::kFetch, "Fetch", 4, 18, 4, 12},
    {ApiKey::kListOffsets, "ListOffsets", 1, 11, 1, 6},
    {ApiKey::kMetadata, "Metadata", 0, 13, 0, 9},
    {ApiKey::kOffsetCommit, "OffsetCommit", 2, 10, 2, 8},
    {ApiKey::kOffsetFetch, "OffsetFetch", 1, 10, 1, 6},
    {ApiKey::kFindCoordinator, "FindCoordinator", 0, 6, 0, 3},
    {ApiKey::kJoinGroup, "JoinGroup", 0, 9, 0, 6},
    {ApiKey::kHeartbeat, "Heartbeat", 0, 4, 0, 4},
    {ApiKey::kLeaveGroup, "LeaveGroup", 0, 5, 0, 4},
    {ApiKey::kSyncGroup, "SyncGroup", 0, 5, 0, 4},
    {ApiKey::kDescribeGroups, "DescribeGroups", 0, 6, 0, 5},
    {ApiKey::kListGroups, "ListGroups", 0, 5, 0, 3},
    {ApiKey::kApiVersions, "ApiVersions", 0, 4, 0, 3},
    {ApiKey::kCreateTopics, "CreateTopics", 2, 7, 2, 5},
    {ApiKey::kDeleteTopics, "DeleteTopics", 1, 6, 1, 4},
    {ApiKey::kDeleteRecords, "DeleteRecords", 0, 2, 0, 2},
    {ApiKey::kInitProducerId, "InitProducerId", 0, 5, 0, 2},
    {ApiKey::kOffsetForLeaderEpoch, "OffsetForLeaderEpoch", 2, 4, 2, 4},
    {ApiKey::kDescribeConfigs, "DescribeConfigs", 1, 4, 1, 4},
    {ApiKey::kDescribeLogDirs, "DescribeLogDirs", 1, 5, 1, 2},
    {ApiKey::kCreatePartitions, "CreatePartitions", 0, 3, 0, 2},
    {ApiKey::kDeleteGroups, "DeleteGroups", 0, 2, 0, 2},
    {ApiKey::kElectLeaders, "ElectLeaders", 0, 2, 0, 2},
    {ApiKey::kIncrementalAlterConfigs, "IncrementalAlterConfigs", 0, 1, 0, 1},
    {ApiKey::kAlterPartitionReassignments, "AlterPartitionReassignments", 0, 1, 0, 0},
    {ApiKey::kListPartitionReassignments, "ListPartitionReassignments", 0, 0, 0, 0},
    {ApiKey::kDescribeQuorum, "DescribeQuorum", 0, 2, 0, 0},
    {ApiKey::kDescribeCluster, "DescribeCluster", 0, 2, 0, 0},
    {ApiKey::kUnregisterBroker, "UnregisterBroker", 0, 0, 0, 0},
    {ApiKey::kDescribeTopicPartitions, "DescribeTopicPartitions", 0, 0, 0, 0},
};

// Null for a key that is not in the table.
constexpr const Api* find_api(std::int16_t key) {
  for (const Api& api : kApis) {
    if (static_cast<std::int16_t>(api.key) == key) return &api;
  }
  return nullptr;
}

}  // namespace millrace::kafka
