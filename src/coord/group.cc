#include "coord/group.h"

#include <algorithm>
#include <chrono>

namespace millrace::coord {
namespace {

Duration ms(std::int32_t count) { return std::chrono::milliseconds(count); }

std::int32_t to_ms(Duration duration) {
  return static_cast<std::int32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

kafka::JoinGroupResponse refusal(ErrorCode error, std::string_view member_id) {
  kafka::JoinGroupResponse response;
  response.error_code = kafka::to_wire(error);
  response.member_id = std::string(member_id);
  return response;
}

kafka::SyncGroupResponse sync_refusal(ErrorCode error) {
  kafka::SyncGroupResponse response;
  response.error_code = kafka::to_wire(error);
  return response;
}

}  // namespace

std::string_view to_string(GroupPhase phase) {
  switch (phase) {
    case GroupPhase::kEmpty: return "Empty";
    case GroupPhase::kPreparingRebalance: return "PreparingRebalance";
    case GroupPhase::kCompletingRebalance: return "CompletingRebalance";
    case GroupPhase::kStable: return "Stable";
    case GroupPhase::kDead: return "Dead";
  }
  return "Unknown";
}

const std::string* Group::Member::metadata(std::string_view protocol) const {
  for (const auto& [name, bytes] : protocols) {
    if (name == protocol) return &bytes;
  }
  return nullptr;
}

bool Group::Member::same_protocols(const kafka::JoinGroupRequest& join) const {
  return std::ranges::equal(protocols, join.protocols, [](const auto& mine, const auto& theirs) {
    return mine.first == theirs.name && mine.second == theirs.metadata;
  });
}

Group::Group(std::string id, const GroupOptions& options, const kafka::GroupMetadataValue& value, SteadyTime now)
    : id_(std::move(id)), options_(&options) {
  generation_ = value.generation;
  protocol_type_ = value.protocol_type;
  phase_since_ms_ = value.current_state_timestamp;
  if (value.members.empty()) return;
  phase_ = GroupPhase::kStable;
  protocol_ = value.protocol;
  leader_ = value.leader.value_or("");
  for (const auto& stored : value.members) {
    Member member;
    member.id = stored.member_id;
    member.instance = stored.group_instance_id;
    member.client_id = stored.client_id;
    member.client_host = stored.client_host;
    member.session_timeout = ms(stored.session_timeout);
    // Records of version 0 have no rebalance timeout.
    member.rebalance_timeout = stored.rebalance_timeout < 0 ? member.session_timeout : ms(stored.rebalance_timeout);
    member.protocols.emplace_back(protocol_.value_or(""), stored.subscription);
    member.assignment = stored.assignment;
    refresh(now, member);
    if (member.instance) static_members_[*member.instance] = member.id;
    join_order_.push_back(member.id);
    members_.emplace(member.id, std::move(member));
  }
}

Group::Member* Group::find(std::string_view member_id) {
  const auto found = members_.find(member_id);
  return found == members_.end() ? nullptr : &found->second;
}
const Group::Member* Group::find(std::string_view member_id) const {
  const auto found = members_.find(member_id);
  return found == members_.end() ? nullptr : &found->second;
}

std::size_t Group::joining_count() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(members_, [](const auto& entry) { return entry.second.joining.has_value(); }));
}

Duration Group::longest_rebalance_timeout() const {
  Duration longest{};
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout);
  return longest;
}

// ---------------------------------------------------------------------------------------- JoinGroup

void Group::join(SteadyTime now, RequestId request, const kafka::JoinGroupRequest& join, const Joiner& joiner,
                 Effects& out) {
  const auto refuse = [&](ErrorCode error, std::string_view member_id) {
    out.joins.emplace_back(request, refusal(error, member_id));
  };
  const Duration session = ms(join.session_timeout_ms);
  if (session < options_->min_session_timeout || session > options_->max_session_timeout) {
    return refuse(ErrorCode::kInvalidSessionTimeout, join.member_id);
  }
  if (phase_ == GroupPhase::kDead) return refuse(ErrorCode::kCoordinatorNotAvailable, join.member_id);
  if (!has_room_for(join.member_id)) {
    if (find(join.member_id)) remove_member(now, std::string(join.member_id), ErrorCode::kUnknownMemberId, out);
    return refuse(ErrorCode::kGroupMaxSizeReached, "");
  }
  if (!supports(join)) return refuse(ErrorCode::kInconsistentGroupProtocol, join.member_id);
  if (join.member_id.empty()) {
    join_new(now, request, join, joiner, out);
  } else {
    join_known(now, request, join, joiner, out);
  }
}

bool Group::has_room_for(std::string_view member_id) const {
  const Member* member = find(member_id);
  switch (phase_) {
    case GroupPhase::kEmpty:
    case GroupPhase::kDead: return true;
    case GroupPhase::kPreparingRebalance: return (member && member->joining) || joining_count() < options_->max_size;
    default: return member || members_.size() < options_->max_size;
  }
}

bool Group::supports(const kafka::JoinGroupRequest& join) const {
  if (join.protocol_type.empty() || join.protocols.empty()) return false;
  if (members_.empty()) return true;
  if (protocol_type_ != join.protocol_type) return false;
  return std::ranges::any_of(join.protocols, [&](const auto& protocol) {
    return std::ranges::all_of(members_, [&](const auto& entry) { return entry.second.metadata(protocol.name); });
  });
}

void Group::join_new(SteadyTime now, RequestId request, const kafka::JoinGroupRequest& join, const Joiner& joiner,
                     Effects& out) {
  const std::string_view stem = join.group_instance_id ? *join.group_instance_id : std::string_view(joiner.client_id);
  std::string id = std::string(stem) + "-" + joiner.fresh_id;
  if (join.group_instance_id) {
    if (static_members_.contains(*join.group_instance_id)) {
      return replace_static(now, request, join, joiner, std::move(id), out);
    }
    return add_member(now, request, join, joiner, std::move(id), out);
  }
  if (joiner.version >= 4) {  // KIP-394: a lost answer must not leave a member that nobody knows of
    pending_[id] = now + ms(join.session_timeout_ms);
    out.joins.emplace_back(request, refusal(ErrorCode::kMemberIdRequired, id));
    return;
  }
  add_member(now, request, join, joiner, std::move(id), out);
}

void Group::join_known(SteadyTime now, RequestId request, const kafka::JoinGroupRequest& join, const Joiner& joiner,
                       Effects& out) {
  if (const auto pending = pending_.find(join.member_id); pending != pending_.end() && !join.group_instance_id) {
    pending_.erase(pending);
    return add_member(now, request, join, joiner, std::string(join.member_id), out);
  }
  if (const ErrorCode error = check_member(join.member_id, join.group_instance_id); error != ErrorCode::kNone) {
    out.joins.emplace_back(request, refusal(error, join.member_id));
    return;
  }
  Member& member = *find(join.member_id);
  const bool same = member.same_protocols(join);
  const bool answer_at_once = (phase_ == GroupPhase::kCompletingRebalance && same) ||
                              (phase_ == GroupPhase::kStable && same && leader_ != member.id);
  if (answer_at_once) {
    // Its previous answer was lost, or it asks again without a reason: nothing changes.
    out.joins.emplace_back(request, current_generation(member));
    refresh(now, member);
    return;
  }
  fill(member, join, joiner);
  refresh(now, member);
  wait_for_join(member, request, out);
  if (phase_ == GroupPhase::kPreparingRebalance) {
    complete_join_if_all_came(now, out);
  } else {
    rebalance(now, out);
  }
}

void Group::fill(Member& member, const kafka::JoinGroupRequest& join, const Joiner& joiner) {
  member.client_id = joiner.client_id;
  member.client_host = joiner.client_host;
  member.session_timeout = ms(join.session_timeout_ms);
  // Version 0 has no rebalance timeout of its own.
  member.rebalance_timeout = join.rebalance_timeout_ms < 0 ? member.session_timeout : ms(join.rebalance_timeout_ms);
  member.protocols.clear();
  for (const auto& protocol : join.protocols) {
    member.protocols.emplace_back(std::string(protocol.name), std::string(protocol.metadata));
  }
}

void Group::wait_for_join(Member& member, RequestId request, Effects& out) {
  // A repeated request replaces the one whose answer its sender no longer waits for.
  if (member.joining) out.joins.emplace_back(*member.joining, refusal(ErrorCode::kRebalanceInProgress, member.id));
  member.joining = request;
}

void Group::add_member(SteadyTime now, RequestId request, const kafka::JoinGroupRequest& join, const Joiner& joiner,
                       std::string member_id, Effects& out) {
  Member member;
  member.id = member_id;
  if (join.group_instance_id) {
    member.instance = std::string(*join.group_instance_id);
    static_members_[*member.instance] = member_id;
  }
  fill(member, join, joiner);
  member.is_new = true;
  member.joining = request;
  // It has no id to send heartbeats with before its first answer, which may take a whole rebalance.
  member.deadline = now + options_->new_member_join_timeout;
  if (members_.empty()) protocol_type_ = std::string(join.protocol_type);
  if (leader_.empty()) leader_ = member_id;
  join_order_.push_back(member_id);
  members_.emplace(std::move(member_id), std::move(member));
  if (phase_ == GroupPhase::kPreparingRebalance) {
    newcomer_ = true;
    complete_join_if_all_came(now, out);
  } else {
    rebalance(now, out);
  }
}

void Group::replace_static(SteadyTime now, RequestId request, const kafka::JoinGroupRequest& join, const Joiner& joiner,
                           std::string new_id, Effects& out) {
  const std::string old_id = static_members_.find(*join.group_instance_id)->second;
  const std::string leader_before = leader_;
  auto node = members_.extract(old_id);
  Member& member = node.mapped();
  if (member.joining) out.joins.emplace_back(*member.joining, refusal(ErrorCode::kFencedInstanceId, old_id));
  if (member.syncing) out.syncs.emplace_back(*member.syncing, sync_refusal(ErrorCode::kFencedInstanceId));
  member.joining.reset();
  member.syncing.reset();
  member.id = new_id;
  fill(member, join, joiner);
  refresh(now, member);
  node.key() = new_id;
  members_.insert(std::move(node));
  static_members_[std::string(*join.group_instance_id)] = new_id;
  std::ranges::replace(join_order_, old_id, new_id);
  if (leader_ == old_id) leader_ = new_id;
  if (unsynced_.erase(old_id) > 0) unsynced_.insert(new_id);

  if (phase_ == GroupPhase::kStable && protocol_ && choose_protocol() == *protocol_) {
    // No rebalance: it goes on with the assignment that it had. Clients before KIP-814 would take the leader role
    // up and assign anew, so they are told of the old leader id.
    kafka::JoinGroupResponse response = current_generation(member);
    if (joiner.version >= 9) {
      response.skip_assignment = leader_ == new_id;
    } else {
      response.leader = leader_before;
      response.members.clear();
    }
    write(out);
    replacements_.push_back({last_write_, request, std::move(response)});
    return;
  }
  wait_for_join(member, request, out);
  if (phase_ == GroupPhase::kPreparingRebalance) {
    complete_join_if_all_came(now, out);
  } else {
    rebalance(now, out);
  }
}

ErrorCode Group::check_member(std::string_view member_id, const std::optional<std::string_view>& instance) const {
  if (instance) {
    const auto known = static_members_.find(*instance);
    if (known == static_members_.end()) return ErrorCode::kUnknownMemberId;
    if (known->second != member_id) return ErrorCode::kFencedInstanceId;
  }
  return find(member_id) ? ErrorCode::kNone : ErrorCode::kUnknownMemberId;
}

// ---------------------------------------------------------------------------------------- rebalancing

void Group::rebalance(SteadyTime now, Effects& out) {
  if (phase_ == GroupPhase::kCompletingRebalance) {
    assignment_write_.reset();
    new_assignments_.clear();
    fail_syncs(ErrorCode::kRebalanceInProgress, out);
  }
  unsynced_.clear();
  sync_deadline_.reset();
  initial_ = phase_ == GroupPhase::kEmpty;
  phase_ = GroupPhase::kPreparingRebalance;
  const Duration longest = longest_rebalance_timeout();
  if (initial_) {
    newcomer_ = false;
    initial_left_ = std::max(longest - options_->initial_rebalance_delay, Duration{});
    join_deadline_ = now + options_->initial_rebalance_delay;
    if (options_->initial_rebalance_delay == Duration{}) complete_join(now, out);
    return;
  }
  join_deadline_ = now + longest;
  complete_join_if_all_came(now, out);
}

void Group::complete_join_if_all_came(SteadyTime now, Effects& out) {
  if (phase_ != GroupPhase::kPreparingRebalance || initial_) return;
  if (pending_.empty() && joining_count() == members_.size()) complete_join(now, out);
}

bool Group::elect_joined_leader() {
  if (const Member* leader = find(leader_); leader && leader->joining) return true;
  for (const auto& id : join_order_) {
    if (!find(id)->joining) continue;
    leader_ = id;
    return true;
  }
  return false;
}

void Group::complete_join(SteadyTime now, Effects& out) {
  join_deadline_.reset();
  initial_ = false;
  std::vector<std::string> absent;
  for (const auto& [id, member] : members_) {
    // Static members stay until their session ends: they may be restarting.
    if (!member.joining && !member.instance) absent.push_back(id);
  }
  for (const auto& id : absent) forget(id, ErrorCode::kUnknownMemberId, out);

  if (!members_.empty() && !elect_joined_leader()) {
    // Only static members, none of which came back yet: wait on, until their sessions end.
    join_deadline_ = now + std::max(longest_rebalance_timeout(), Duration(1ms));
    return;
  }
  ++generation_;
  out.rebalanced = true;
  unsynced_.clear();
  if (members_.empty()) {
    phase_ = GroupPhase::kEmpty;
    protocol_.reset();
    leader_.clear();
    write(out);
    return;
  }
  phase_ = GroupPhase::kCompletingRebalance;
  protocol_ = choose_protocol();
  for (auto& [id, member] : members_) {
    unsynced_.insert(id);
    if (!member.joining) continue;
    answer_join(member, current_generation(member), out);
    member.is_new = false;
    refresh(now, member);
  }
  sync_deadline_ = now + longest_rebalance_timeout();
}

std::string Group::choose_protocol() const {
  // Each member votes for the first of its protocols that all support; most votes win, then the name.
  std::map<std::string, int> votes;
  for (const auto& [id, member] : members_) {
    for (const auto& [name, metadata] : member.protocols) {
      const auto knows = [&protocol = name](const auto& entry) { return entry.second.metadata(protocol) != nullptr; };
      if (!std::ranges::all_of(members_, knows)) continue;
      ++votes[name];
      break;
    }
  }
  if (votes.empty()) return "";
  return std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; })->first;
}

kafka::JoinGroupResponse Group::current_generation(const Member& member) const {
  kafka::JoinGroupResponse response;
  response.generation_id = generation_;
  response.protocol_type = protocol_type_;
  response.protocol_name = protocol_;
  response.leader = leader_;
  response.member_id = member.id;
  if (leader_ == member.id) response.members = members_for_leader();
  return response;
}

std::vector<kafka::JoinGroupResponse::JoinGroupResponseMember> Group::members_for_leader() const {
  std::vector<kafka::JoinGroupResponse::JoinGroupResponseMember> all;
  for (const auto& [id, member] : members_) {
    const std::string* metadata = member.metadata(protocol_.value_or(""));
    all.push_back({id, member.instance, metadata ? *metadata : std::string()});
  }
  return all;
}

void Group::answer_join(Member& member, kafka::JoinGroupResponse response, Effects& out) {
  out.joins.emplace_back(*member.joining, std::move(response));
  member.joining.reset();
}

// ---------------------------------------------------------------------------------------- SyncGroup

void Group::sync(SteadyTime now, RequestId request, const kafka::SyncGroupRequest& sync, Effects& out) {
  const auto refuse = [&](ErrorCode error) { out.syncs.emplace_back(request, sync_refusal(error)); };
  if (phase_ == GroupPhase::kDead) return refuse(ErrorCode::kCoordinatorNotAvailable);
  if (const ErrorCode error = check_member(sync.member_id, sync.group_instance_id); error != ErrorCode::kNone) {
    return refuse(error);
  }
  if (sync.generation_id != generation_) return refuse(ErrorCode::kIllegalGeneration);
  if ((sync.protocol_type && *sync.protocol_type != protocol_type_) ||
      (sync.protocol_name && *sync.protocol_name != protocol_.value_or(""))) {
    return refuse(ErrorCode::kInconsistentGroupProtocol);
  }
  Member& member = *find(sync.member_id);
  switch (phase_) {
    case GroupPhase::kPreparingRebalance: return refuse(ErrorCode::kRebalanceInProgress);
    case GroupPhase::kStable:
      unsynced_.erase(member.id);
      if (unsynced_.empty()) sync_deadline_.reset();
      refresh(now, member);
      member.syncing = request;
      return answer_sync(member, ErrorCode::kNone, out);
    case GroupPhase::kCompletingRebalance: break;
    default: return refuse(ErrorCode::kUnknownMemberId);
  }
  if (member.syncing) out.syncs.emplace_back(*member.syncing, sync_refusal(ErrorCode::kRebalanceInProgress));
  member.syncing = request;
  unsynced_.erase(member.id);
  if (unsynced_.empty()) sync_deadline_.reset();
  if (leader_ != member.id || assignment_write_) return;
  new_assignments_.clear();
  for (const auto& assignment : sync.assignments) {
    new_assignments_[std::string(assignment.member_id)] = std::string(assignment.assignment);
  }
  write(out);
  assignment_write_ = last_write_;
}

void Group::answer_sync(Member& member, ErrorCode error, Effects& out) {
  kafka::SyncGroupResponse response = sync_refusal(error);
  if (error == ErrorCode::kNone) {
    response.protocol_type = protocol_type_;
    response.protocol_name = protocol_;
    response.assignment = member.assignment;
  }
  out.syncs.emplace_back(*member.syncing, std::move(response));
  member.syncing.reset();
}

void Group::fail_syncs(ErrorCode error, Effects& out) {
  for (auto& [id, member] : members_) {
    member.assignment.clear();
    if (member.syncing) answer_sync(member, error, out);
  }
}

void Group::written(SteadyTime now, WriteId write, ErrorCode error, Effects& out) {
  for (auto it = replacements_.begin(); it != replacements_.end();) {
    if (it->write > write) {
      ++it;
      continue;
    }
    out.joins.emplace_back(
        it->request, error == ErrorCode::kNone ? std::move(it->response) : refusal(error, it->response.member_id));
    it = replacements_.erase(it);
  }
  if (assignment_write_ != write) return;
  assignment_write_.reset();
  if (phase_ != GroupPhase::kCompletingRebalance) return;
  if (error != ErrorCode::kNone) {
    new_assignments_.clear();
    fail_syncs(error, out);
    return rebalance(now, out);
  }
  phase_ = GroupPhase::kStable;
  for (auto& [id, member] : members_) {
    const auto mine = new_assignments_.find(id);
    member.assignment = mine == new_assignments_.end() ? std::string() : mine->second;
    if (!member.syncing) continue;
    answer_sync(member, ErrorCode::kNone, out);
    refresh(now, member);
  }
  new_assignments_.clear();
}

// ---------------------------------------------------------------------------------------- the rest

ErrorCode Group::heartbeat(SteadyTime now, const kafka::HeartbeatRequest& heartbeat) {
  if (phase_ == GroupPhase::kDead) return ErrorCode::kCoordinatorNotAvailable;
  if (const ErrorCode error = check_member(heartbeat.member_id, heartbeat.group_instance_id);
      error != ErrorCode::kNone) {
    return error;
  }
  if (heartbeat.generation_id != generation_) return ErrorCode::kIllegalGeneration;
  if (phase_ == GroupPhase::kEmpty) return ErrorCode::kUnknownMemberId;
  refresh(now, *find(heartbeat.member_id));
  return phase_ == GroupPhase::kPreparingRebalance ? ErrorCode::kRebalanceInProgress : ErrorCode::kNone;
}

ErrorCode Group::check_commit(SteadyTime now, std::string_view member_id, std::optional<std::string_view> instance,
                              std::int32_t generation) {
  if (phase_ == GroupPhase::kDead) return ErrorCode::kCoordinatorNotAvailable;
  // From an admin client, or a consumer that manages its partitions itself.
  if (generation < 0 && phase_ == GroupPhase::kEmpty) return ErrorCode::kNone;
  if (generation < 0 && member_id.empty() && !instance) return ErrorCode::kUnknownMemberId;
  if (const ErrorCode error = check_member(member_id, instance); error != ErrorCode::kNone) return error;
  if (generation != generation_) return ErrorCode::kIllegalGeneration;
  refresh(now, *find(member_id));
  return phase_ == GroupPhase::kCompletingRebalance ? ErrorCode::kRebalanceInProgress : ErrorCode::kNone;
}

ErrorCode Group::leave(SteadyTime now, std::string_view member_id, std::optional<std::string_view> instance,
                       Effects& out) {
  if (phase_ == GroupPhase::kDead) return ErrorCode::kUnknownMemberId;
  std::string leaving(member_id);
  if (member_id.empty() && instance) {
    const auto known = static_members_.find(*instance);
    if (known == static_members_.end()) return ErrorCode::kUnknownMemberId;
    leaving = known->second;
  } else if (const auto pending = pending_.find(member_id); pending != pending_.end()) {
    pending_.erase(pending);
    complete_join_if_all_came(now, out);
    return ErrorCode::kNone;
  } else if (const ErrorCode error = check_member(member_id, instance); error != ErrorCode::kNone) {
    return error;
  }
  remove_member(now, leaving, ErrorCode::kUnknownMemberId, out);
  return ErrorCode::kNone;
}

void Group::forget(const std::string& member_id, ErrorCode waiting_get, Effects& out) {
  auto node = members_.extract(member_id);
  Member& member = node.mapped();
  if (member.joining) answer_join(member, refusal(waiting_get, member_id), out);
  if (member.syncing) answer_sync(member, waiting_get, out);
  if (member.instance) static_members_.erase(*member.instance);
  unsynced_.erase(member_id);
  if (unsynced_.empty()) sync_deadline_.reset();
  std::erase(join_order_, member_id);
  if (leader_ == member_id) leader_ = join_order_.empty() ? std::string() : join_order_.front();
}

void Group::remove_member(SteadyTime now, const std::string& member_id, ErrorCode waiting_get, Effects& out) {
  forget(member_id, waiting_get, out);
  after_removal(now, out);
}

void Group::after_removal(SteadyTime now, Effects& out) {
  switch (phase_) {
    case GroupPhase::kStable:
    case GroupPhase::kCompletingRebalance: return rebalance(now, out);
    case GroupPhase::kPreparingRebalance: return complete_join_if_all_came(now, out);
    default: return;
  }
}

std::optional<SteadyTime> Group::next_deadline() const {
  std::optional<SteadyTime> next = join_deadline_;
  const auto consider = [&](SteadyTime when) { next = next ? std::min(*next, when) : when; };
  if (sync_deadline_) consider(*sync_deadline_);
  for (const auto& [id, when] : pending_) consider(when);
  for (const auto& [id, member] : members_) consider(member.deadline);
  return next;
}

void Group::advance(SteadyTime now, Effects& out) {
  if (phase_ == GroupPhase::kDead) return;
  if (join_deadline_ && *join_deadline_ <= now) {
    if (initial_ && newcomer_ && initial_left_ > Duration{}) {
      const Duration longer = std::min(options_->initial_rebalance_delay, initial_left_);
      newcomer_ = false;
      initial_left_ -= longer;
      join_deadline_ = now + longer;
    } else {
      complete_join(now, out);
    }
  }
  if (sync_deadline_ && *sync_deadline_ <= now) {
    sync_deadline_.reset();
    const auto late = std::exchange(unsynced_, {});
    for (const auto& id : late) {
      if (find(id)) forget(id, ErrorCode::kUnknownMemberId, out);
    }
    if (!late.empty()) after_removal(now, out);
  }
  expire_members(now, out);
}

void Group::expire_members(SteadyTime now, Effects& out) {
  bool removed = std::erase_if(pending_, [&](const auto& entry) { return entry.second <= now; }) > 0;
  std::vector<std::string> expired;
  for (auto& [id, member] : members_) {
    if (member.deadline > now) continue;
    // Whoever waits for our answer is not expected to send heartbeats, unless it never had an answer at all.
    if (!member.is_new && (member.joining || member.syncing)) {
      refresh(now, member);
    } else {
      expired.push_back(id);
    }
  }
  for (const auto& id : expired) forget(id, ErrorCode::kUnknownMemberId, out);
  if (!expired.empty()) return after_removal(now, out);
  if (removed) complete_join_if_all_came(now, out);
}

void Group::kill(ErrorCode error, Effects& out) {
  for (auto& [id, member] : members_) {
    if (member.joining) answer_join(member, refusal(error, id), out);
    if (member.syncing) answer_sync(member, error, out);
  }
  for (auto& waiting : replacements_) {
    out.joins.emplace_back(waiting.request, refusal(error, waiting.response.member_id));
  }
  replacements_.clear();
  members_.clear();
  static_members_.clear();
  pending_.clear();
  join_order_.clear();
  unsynced_.clear();
  join_deadline_.reset();
  sync_deadline_.reset();
  assignment_write_.reset();
  phase_ = GroupPhase::kDead;
}

kafka::GroupMetadataValue Group::snapshot() const {
  kafka::GroupMetadataValue value;
  value.protocol_type = protocol_type_;
  value.generation = generation_;
  value.protocol = protocol_;
  if (!leader_.empty()) value.leader = leader_;
  value.current_state_timestamp = phase_since_ms_;
  for (const auto& [id, member] : members_) {
    kafka::GroupMetadataValue::MemberMetadata stored;
    stored.member_id = id;
    stored.group_instance_id = member.instance;
    stored.client_id = member.client_id;
    stored.client_host = member.client_host;
    stored.rebalance_timeout = to_ms(member.rebalance_timeout);
    stored.session_timeout = to_ms(member.session_timeout);
    if (const std::string* metadata = member.metadata(protocol_.value_or(""))) stored.subscription = *metadata;
    const auto fresh = new_assignments_.find(id);
    stored.assignment = fresh == new_assignments_.end() ? member.assignment : fresh->second;
    value.members.push_back(std::move(stored));
  }
  return value;
}

kafka::DescribeGroupsResponse::DescribedGroup Group::describe() const {
  kafka::DescribeGroupsResponse::DescribedGroup group;
  group.group_id = id_;
  group.group_state = std::string(to_string(phase_));
  group.protocol_type = protocol_type_;
  const bool stable = phase_ == GroupPhase::kStable;
  if (stable) group.protocol_data = protocol_.value_or("");
  for (const auto& [id, member] : members_) {
    kafka::DescribeGroupsResponse::DescribedGroupMember described;
    described.member_id = id;
    described.group_instance_id = member.instance;
    described.client_id = member.client_id;
    described.client_host = member.client_host;
    if (stable) {
      if (const std::string* metadata = member.metadata(group.protocol_data)) described.member_metadata = *metadata;
      described.member_assignment = member.assignment;
    }
    group.members.push_back(std::move(described));
  }
  return group;
}

}  // namespace millrace::coord
