// One consumer group under Kafka's classic protocol, as a pure state machine: requests and the passing of
// time go in, answers and the wish to be written down come out. No I/O, no clock, no randomness.
//
// States and rules are those of Kafka 4's coordinator (KIP-62 rebalance timeouts, KIP-345 static members,
// KIP-394 known member ids, KIP-814 static leaders). An answer that must wait (JoinGroup until all members
// came, SyncGroup until the assignment is durable) is given later through some other call's Effects, under the
// RequestId that it was asked with; each RequestId gets exactly one answer. The caller (coordinator.h) calls
// `advance` once `next_deadline` has passed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "kafka/errors.h"
#include "kafka/messages/describe_groups.h"
#include "kafka/messages/group_records.h"
#include "kafka/messages/heartbeat.h"
#include "kafka/messages/join_group.h"
#include "kafka/messages/sync_group.h"

namespace millrace::coord {

using kafka::ErrorCode;
using RequestId = std::uint64_t;
using WriteId = std::uint64_t;

enum class GroupPhase { kEmpty, kPreparingRebalance, kCompletingRebalance, kStable, kDead };
// As Kafka's tools show it: "PreparingRebalance".
std::string_view to_string(GroupPhase phase);

struct GroupOptions {
  Duration min_session_timeout = 6s;
  Duration max_session_timeout = 30min;
  Duration initial_rebalance_delay = 3s;
  Duration new_member_join_timeout = 5min;
  std::size_t max_size = 0x7fffffff;
};

struct Effects {
  std::vector<std::pair<RequestId, kafka::JoinGroupResponse>> joins;
  std::vector<std::pair<RequestId, kafka::SyncGroupResponse>> syncs;
  // The group must be written to its log, as `snapshot` gives it now; then `written` be called.
  std::optional<WriteId> write;
  bool rebalanced = false;  // a new generation began
};

// What a JoinGroup request does not say itself.
struct Joiner {
  std::int16_t version = 0;
  std::string client_id;
  std::string client_host;
  std::string fresh_id;  // unique; becomes the tail of a new member id
};

class Group {
 public:
  Group(std::string id, const GroupOptions& options) : id_(std::move(id)), options_(&options) {}
  // As it was written; members have a whole session timeout from `now` on to be heard of again.
  Group(std::string id, const GroupOptions& options, const kafka::GroupMetadataValue& value, SteadyTime now);

  void join(SteadyTime now, RequestId request, const kafka::JoinGroupRequest& join, const Joiner& joiner, Effects& out);
  void sync(SteadyTime now, RequestId request, const kafka::SyncGroupRequest& sync, Effects& out);
  ErrorCode heartbeat(SteadyTime now, const kafka::HeartbeatRequest& heartbeat);
  // An empty member id with an instance id removes that static member, whoever it is.
  ErrorCode leave(SteadyTime now, std::string_view member_id, std::optional<std::string_view> instance, Effects& out);
  // May this member commit offsets now? A commit counts as a heartbeat.
  ErrorCode check_commit(SteadyTime now, std::string_view member_id, std::optional<std::string_view> instance,
                         std::int32_t generation);

  void written(SteadyTime now, WriteId write, ErrorCode error, Effects& out);
  std::optional<SteadyTime> next_deadline() const;
  void advance(SteadyTime now, Effects& out);
  // The group is gone from here (deleted, or led by another broker): all waiting requests get `error`.
  void kill(ErrorCode error, Effects& out);

  const std::string& id() const { return id_; }
  GroupPhase phase() const { return phase_; }
  std::int32_t generation() const { return generation_; }
  std::size_t member_count() const { return members_.size(); }
  // Empty for a group that only stores offsets.
  const std::string& protocol_type() const { return protocol_type_; }
  const std::string& leader() const { return leader_; }
  // When it became what it is, for the expiry of its offsets; -1: never had a member.
  std::int64_t phase_since_ms() const { return phase_since_ms_; }
  void set_phase_since_ms(std::int64_t ms) { phase_since_ms_ = ms; }
  // Nobody is in it or about to be, and nothing has to be remembered but its offsets.
  bool vacant() const { return phase_ == GroupPhase::kEmpty && members_.empty() && pending_.empty(); }

  kafka::GroupMetadataValue snapshot() const;
  kafka::DescribeGroupsResponse::DescribedGroup describe() const;

 private:
  struct Member {
    std::string id;
    std::optional<std::string> instance;
    std::string client_id;
    std::string client_host;
    Duration rebalance_timeout{};
    Duration session_timeout{};
    std::vector<std::pair<std::string, std::string>> protocols;  // name, metadata; preferred first
    std::string assignment;
    std::optional<RequestId> joining;  // waits for JoinGroup's answer
    std::optional<RequestId> syncing;  // waits for SyncGroup's answer
    bool is_new = false;               // has not had its first answer: it cannot heartbeat yet
    SteadyTime deadline{};

    const std::string* metadata(std::string_view protocol) const;
    bool same_protocols(const kafka::JoinGroupRequest& join) const;
  };
  // An answer that waits for a written static replacement.
  struct PendingReplacement {
    WriteId write = 0;
    RequestId request = 0;
    kafka::JoinGroupResponse response;
  };

  void join_new(SteadyTime now, RequestId request, const kafka::JoinGroupRequest& join, const Joiner& joiner,
                Effects& out);
  void join_known(SteadyTime now, RequestId request, const kafka::JoinGroupRequest& join, const Joiner& joiner,
                  Effects& out);
  void add_member(SteadyTime now, RequestId request, const kafka::JoinGroupRequest& join, const Joiner& joiner,
                  std::string member_id, Effects& out);
  void replace_static(SteadyTime now, RequestId request, const kafka::JoinGroupRequest& join, const Joiner& joiner,
                      std::string new_id, Effects& out);
  static void fill(Member& member, const kafka::JoinGroupRequest& join, const Joiner& joiner);
  void wait_for_join(Member& member, RequestId request, Effects& out);
  bool has_room_for(std::string_view member_id) const;
  bool supports(const kafka::JoinGroupRequest& join) const;
  ErrorCode check_member(std::string_view member_id, const std::optional<std::string_view>& instance) const;

  void rebalance(SteadyTime now, Effects& out);
  void complete_join_if_all_came(SteadyTime now, Effects& out);
  void complete_join(SteadyTime now, Effects& out);
  bool elect_joined_leader();
  void remove_member(SteadyTime now, const std::string& member_id, ErrorCode waiting_get, Effects& out);
  void after_removal(SteadyTime now, Effects& out);
  void forget(const std::string& member_id, ErrorCode waiting_get, Effects& out);
  void expire_members(SteadyTime now, Effects& out);

  void refresh(SteadyTime now, Member& member) { member.deadline = now + member.session_timeout; }
  void answer_join(Member& member, kafka::JoinGroupResponse response, Effects& out);
  void answer_sync(Member& member, ErrorCode error, Effects& out);
  void fail_syncs(ErrorCode error, Effects& out);
  void write(Effects& out) { out.write = ++last_write_; }
  kafka::JoinGroupResponse current_generation(const Member& member) const;
  std::vector<kafka::JoinGroupResponse::JoinGroupResponseMember> members_for_leader() const;
  std::string choose_protocol() const;
  Duration longest_rebalance_timeout() const;
  std::size_t joining_count() const;
  Member* find(std::string_view member_id);
  const Member* find(std::string_view member_id) const;

  std::string id_;
  const GroupOptions* options_;  // the coordinator's
  GroupPhase phase_ = GroupPhase::kEmpty;
  std::int64_t phase_since_ms_ = -1;
  std::int32_t generation_ = 0;
  std::string protocol_type_;
  std::optional<std::string> protocol_;
  std::string leader_;
  std::map<std::string, Member, std::less<>> members_;
  std::map<std::string, std::string, std::less<>> static_members_;  // instance -> member id
  std::map<std::string, SteadyTime, std::less<>> pending_;          // ids given out by MEMBER_ID_REQUIRED
  std::vector<std::string> join_order_;                             // the leader is the first that is still there

  // PreparingRebalance: when it ends at the latest.
  std::optional<SteadyTime> join_deadline_;
  bool initial_ = false;            // the first rebalance of an empty group waits for company
  bool newcomer_ = false;           // somebody came during the current initial delay
  Duration initial_left_{};         // how much longer the delay may be extended
  std::set<std::string> unsynced_;  // members of the generation that did not sync yet
  std::optional<SteadyTime> sync_deadline_;

  WriteId last_write_ = 0;
  std::optional<WriteId> assignment_write_;  // CompletingRebalance: being written
  std::map<std::string, std::string, std::less<>> new_assignments_;
  std::vector<PendingReplacement> replacements_;
};

}  // namespace millrace::coord
