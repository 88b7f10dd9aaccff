// The group coordinator: runs the pure Groups (group.h) against the log. It owns the timers, the requests
// that wait, the committed offsets, and the records of all that in `__consumer_offsets`, in Kafka's own formats.
//
// A change is answered once its record is durable. Records of one turn of the event loop and one partition go
// into one batch. When a partition of `__consumer_offsets` comes to this broker its groups are loaded from it
// (COORDINATOR_LOAD_IN_PROGRESS meanwhile); when it goes, they are dropped (NOT_COORDINATOR). One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/task.h"
#include "cluster/api.h"
#include "coord/group.h"
#include "coord/group_log.h"
#include "coord/metrics.h"
#include "coord/offsets.h"
#include "kafka/messages/leave_group.h"
#include "storage/api.h"

namespace millrace::coord {

inline constexpr std::string_view kOffsetsTopic = "__consumer_offsets";

struct CoordinatorOptions {
  GroupOptions group;
  std::int32_t offsets_topic_partitions = 50;
  std::int64_t offsets_retention_ms = 7LL * 24 * 3600 * 1000;
  Duration offsets_retention_check = 10min;
  std::size_t offset_metadata_bytes_max = 4096;
};

struct CommitRequest {
  std::string group;
  std::string member_id;
  std::optional<std::string> instance;
  std::int32_t generation = -1;
  std::int64_t retention_ms = -1;  // clients before KIP-211
  struct Entry {
    OffsetKey key;
    std::int64_t offset = -1;
    std::int32_t leader_epoch = -1;
    std::string metadata;
  };
  std::vector<Entry> entries;
};

struct GroupListing {
  std::string id;
  std::string protocol_type;
  std::string state;
};

struct GroupSummary {
  std::string id;
  std::string state;
  std::int32_t members = 0;
  std::map<OffsetKey, std::int64_t> offsets;
};

class Coordinator {
 public:
  Coordinator(Executor executor, Clock& clock, Random& random, cluster::Cluster& cluster, storage::Engine& engine,
              Metrics& metrics, CoordinatorOptions options);
  ~Coordinator();

  void start();
  // Waiting requests get NOT_COORDINATOR; records that were appended become durable with the engine's stop.
  Task<void> stop();

  // Creates `__consumer_offsets` when there is none, and waits (a few seconds at most) until the group's
  // partition is loaded here.
  Task<ErrorCode> prepare(std::string group);

  Task<kafka::JoinGroupResponse> join(kafka::JoinGroupRequest request, std::int16_t version, std::string client_id,
                                      std::string client_host);
  Task<kafka::SyncGroupResponse> sync(kafka::SyncGroupRequest request);
  ErrorCode heartbeat(const kafka::HeartbeatRequest& request);
  // One error per member; an error of the coordinator itself instead of them.
  std::expected<std::vector<ErrorCode>, ErrorCode> leave(const kafka::LeaveGroupRequest& request);

  // One error per entry, in their order.
  Task<std::vector<ErrorCode>> commit(CommitRequest request);
  // Null only with an error; valid until the next co_await. A group without offsets is an empty set.
  std::expected<const Offsets*, ErrorCode> offsets(std::string_view group) const;
  Task<ErrorCode> delete_group(std::string group);
  // After a topic is gone, so are the offsets in it.
  void forget_topic(const std::string& topic);

  // kGroupIdNotFound for one that does not exist.
  std::expected<kafka::DescribeGroupsResponse::DescribedGroup, ErrorCode> describe(std::string_view group) const;
  // An error while some partition is being loaded.
  std::expected<std::vector<GroupListing>, ErrorCode> list() const;
  std::vector<GroupSummary> summaries() const;

 private:
  struct Entry;
  struct Shard {
    std::int32_t epoch = -1;
    bool loaded = false;
  };

  ErrorCode check(std::string_view group) const;
  std::optional<std::int32_t> partition_of(std::string_view group) const;
  Entry* find(std::string_view group);
  const Entry* find(std::string_view group) const;
  Entry& find_or_create(std::string_view group);
  std::string fresh_id();

  // Carries out what a group asked for, and sees to its timer.
  void apply(Entry& entry, Effects effects);
  void schedule(Entry& entry);
  void on_timer(std::string group);
  // Takes the group away; whoever waits gets `error`. Invalidates `entry`.
  void drop(Entry& entry, ErrorCode error);
  static Task<void> write_group(Coordinator& self, std::string group, WriteId write, Promise<WriteOutcome> outcome);

  Task<void> follow();
  void reconcile(bool& unsettled);
  Task<void> load(std::int32_t partition, std::int32_t epoch);
  void unload(std::int32_t partition);
  void absorb(std::int32_t partition, std::vector<LoadedRecord> records);
  Task<void> expire_loop();
  void expire_offsets();
  Task<void> write_tombstones(std::string group, std::vector<OffsetKey> keys, bool with_group);

  Executor executor_;
  Clock& clock_;
  Random& random_;
  cluster::Cluster& cluster_;
  storage::Engine& engine_;
  CoordinatorOptions options_;
  CoordinatorMetrics metrics_;
  TaskScope scope_;
  GroupLog log_;
  Event loaded_;  // pulsed when a partition was loaded
  std::map<std::int32_t, Shard> shards_;
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> groups_;
  std::unordered_map<RequestId, Promise<kafka::JoinGroupResponse>> joining_;
  std::unordered_map<RequestId, Promise<kafka::SyncGroupResponse>> syncing_;
  RequestId last_request_ = 0;
  Event stop_event_;
  bool creating_topic_ = false;
};

}  // namespace millrace::coord
