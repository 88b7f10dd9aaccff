#include "coord/coordinator.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/uuid.h"
#include "coord/coordinator_state.h"

namespace millrace::coord {

using kafka::ErrorCode;

Coordinator::Coordinator(Executor executor, Clock& clock, Random& random, cluster::Cluster& cluster,
                         storage::Engine& engine, Metrics& metrics, CoordinatorOptions options)
    : executor_(executor),
      clock_(clock),
      random_(random),
      cluster_(cluster),
      engine_(engine),
      options_(options),
      metrics_(metrics),
      scope_(executor),
      log_(cluster, engine, clock, scope_) {}

Coordinator::~Coordinator() = default;

void Coordinator::start() {
  scope_.spawn(follow());
  scope_.spawn(expire_loop());
}

Task<void> Coordinator::stop() {
  stop_event_.set();
  cluster_.changed().pulse();
  while (!shards_.empty()) unload(shards_.begin()->first);
  co_await scope_.stop();
}

std::optional<std::int32_t> Coordinator::partition_of(std::string_view group) const {
  const auto* topic = cluster_.state().topic_by_name(kOffsetsTopic);
  if (!topic) return std::nullopt;
  return partition_for_group(group, static_cast<std::int32_t>(topic->partitions.size()));
}

ErrorCode Coordinator::check(std::string_view group) const {
  if (stop_event_.is_set()) return ErrorCode::kCoordinatorNotAvailable;
  const auto partition = partition_of(group);
  if (!partition) return ErrorCode::kNotCoordinator;
  const auto shard = shards_.find(*partition);
  if (shard == shards_.end()) return ErrorCode::kNotCoordinator;
  return shard->second.loaded ? ErrorCode::kNone : ErrorCode::kCoordinatorLoadInProgress;
}

Coordinator::Entry* Coordinator::find(std::string_view group) {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : found->second.get();
}
const Coordinator::Entry* Coordinator::find(std::string_view group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : found->second.get();
}

Coordinator::Entry& Coordinator::find_or_create(std::string_view group) {
  if (Entry* known = find(group)) return *known;
  auto entry = std::make_unique<Entry>(Group(std::string(group), options_.group));
  Entry& created = *entry;
  groups_.emplace(std::string(group), std::move(entry));
  metrics_.groups.Set(static_cast<double>(groups_.size()));
  return created;
}

std::string Coordinator::fresh_id() {
  // Looks like the random part of Kafka's member ids.
  const Uuid id = Uuid::random(random_);
  std::string text;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", id.bytes[i]);
  }
  return text;
}

// ---------------------------------------------------------------------------------------- requests

Task<kafka::JoinGroupResponse> Coordinator::join(kafka::JoinGroupRequest request, std::int16_t version,
                                                 std::string client_id, std::string client_host) {
  kafka::JoinGroupResponse refused;
  refused.member_id = std::string(request.member_id);
  const auto refuse = [&](ErrorCode error) {
    refused.error_code = kafka::to_wire(error);
    return refused;
  };
  if (request.group_id.empty()) co_return refuse(ErrorCode::kInvalidGroupId);
  if (const ErrorCode error = check(request.group_id); error != ErrorCode::kNone) co_return refuse(error);
  Entry* entry = find(request.group_id);
  if (!entry) {
    if (!request.member_id.empty()) co_return refuse(ErrorCode::kUnknownMemberId);
    entry = &find_or_create(request.group_id);
  }
  const RequestId id = ++last_request_;
  const Promise<kafka::JoinGroupResponse> answer;
  joining_.emplace(id, answer);
  Effects effects;
  const Joiner joiner{version, std::move(client_id), std::move(client_host), fresh_id()};
  entry->group.join(clock_.now(), id, request, joiner, effects);
  apply(*entry, std::move(effects));
  co_return co_await answer.wait();
}

Task<kafka::SyncGroupResponse> Coordinator::sync(kafka::SyncGroupRequest request) {
  kafka::SyncGroupResponse refused;
  ErrorCode error = request.group_id.empty() ? ErrorCode::kInvalidGroupId : check(request.group_id);
  Entry* entry = error == ErrorCode::kNone ? find(request.group_id) : nullptr;
  if (error == ErrorCode::kNone && !entry) error = ErrorCode::kUnknownMemberId;
  if (error != ErrorCode::kNone) {
    // The client joins again after this one, and so finds out what the matter is (as Kafka does).
    if (error == ErrorCode::kCoordinatorLoadInProgress) error = ErrorCode::kRebalanceInProgress;
    refused.error_code = kafka::to_wire(error);
    co_return refused;
  }
  const RequestId id = ++last_request_;
  const Promise<kafka::SyncGroupResponse> answer;
  syncing_.emplace(id, answer);
  Effects effects;
  entry->group.sync(clock_.now(), id, request, effects);
  apply(*entry, std::move(effects));
  co_return co_await answer.wait();
}

ErrorCode Coordinator::heartbeat(const kafka::HeartbeatRequest& request) {
  if (request.group_id.empty()) return ErrorCode::kInvalidGroupId;
  const ErrorCode error = check(request.group_id);
  // While loading, the member is as alive as it was (as Kafka does).
  if (error == ErrorCode::kCoordinatorLoadInProgress) return ErrorCode::kNone;
  if (error != ErrorCode::kNone) return error;
  Entry* entry = find(request.group_id);
  return entry ? entry->group.heartbeat(clock_.now(), request) : ErrorCode::kUnknownMemberId;
}

std::expected<std::vector<ErrorCode>, ErrorCode> Coordinator::leave(const kafka::LeaveGroupRequest& request) {
  if (request.group_id.empty()) return std::unexpected(ErrorCode::kInvalidGroupId);
  if (const ErrorCode error = check(request.group_id); error != ErrorCode::kNone) return std::unexpected(error);
  Entry* entry = find(request.group_id);
  std::vector<ErrorCode> errors;
  for (const auto& member : request.members) {
    Effects effects;
    errors.push_back(entry ? entry->group.leave(clock_.now(), member.member_id, member.group_instance_id, effects)
                           : ErrorCode::kUnknownMemberId);
    if (entry) apply(*entry, std::move(effects));
  }
  return errors;
}

Task<std::vector<ErrorCode>> Coordinator::commit(CommitRequest request) {
  std::vector<ErrorCode> errors(request.entries.size(), ErrorCode::kNone);
  ErrorCode error = check(request.group);
  if (error == ErrorCode::kNone && request.group.empty() && request.generation >= 0) error = ErrorCode::kInvalidGroupId;
  Entry* entry = error == ErrorCode::kNone ? find(request.group) : nullptr;
  if (error == ErrorCode::kNone && !entry) {
    // A group that Kafka does not manage: anybody may commit to it.
    if (request.generation >= 0) {
      error = ErrorCode::kIllegalGeneration;
    } else {
      entry = &find_or_create(request.group);
    }
  }
  if (error == ErrorCode::kNone) {
    std::optional<std::string_view> instance;
    if (request.instance) instance = *request.instance;
    error = entry->group.check_commit(clock_.now(), request.member_id, instance, request.generation);
  }
  if (error != ErrorCode::kNone) {
    std::ranges::fill(errors, error);
    co_return errors;
  }
  const std::int64_t now_ms = clock_.wall_ms();
  std::vector<RecordBytes> records;
  std::vector<std::pair<OffsetKey, CommittedOffset>> taken;
  for (std::size_t i = 0; i < request.entries.size(); ++i) {
    auto& wanted = request.entries[i];
    if (wanted.metadata.size() > options_.offset_metadata_bytes_max) {
      errors[i] = ErrorCode::kOffsetMetadataTooLarge;
      continue;
    }
    CommittedOffset offset{wanted.offset, wanted.leader_epoch, std::move(wanted.metadata), now_ms};
    if (request.retention_ms >= 0) offset.expire_ms = now_ms + request.retention_ms;
    records.push_back(offset_record(request.group, wanted.key, offset));
    taken.emplace_back(std::move(wanted.key), std::move(offset));
  }
  if (records.empty()) co_return errors;
  ++entry->commits_in_flight;
  const auto written = log_.add(*partition_of(request.group), std::move(records));
  const WriteOutcome outcome = co_await written.wait();
  entry = find(request.group);
  if (entry) --entry->commits_in_flight;
  if (outcome.error != ErrorCode::kNone || !entry) {
    for (auto& each : errors) {
      if (each == ErrorCode::kNone) each = entry ? outcome.error : ErrorCode::kNotCoordinator;
    }
    co_return errors;
  }
  std::int64_t log_offset = outcome.first_offset;
  for (auto& [key, offset] : taken) {
    offset.log_offset = log_offset++;
    entry->offsets.put(key, std::move(offset));
  }
  metrics_.commits.Increment(static_cast<double>(taken.size()));
  co_return errors;
}

std::expected<const Offsets*, ErrorCode> Coordinator::offsets(std::string_view group) const {
  static const Offsets kNone;
  if (const ErrorCode error = check(group); error != ErrorCode::kNone) return std::unexpected(error);
  const Entry* entry = find(group);
  return entry ? &entry->offsets : &kNone;
}

std::expected<kafka::DescribeGroupsResponse::DescribedGroup, ErrorCode> Coordinator::describe(
    std::string_view group) const {
  if (group.empty()) return std::unexpected(ErrorCode::kInvalidGroupId);
  if (const ErrorCode error = check(group); error != ErrorCode::kNone) return std::unexpected(error);
  const Entry* entry = find(group);
  if (!entry) return std::unexpected(ErrorCode::kGroupIdNotFound);
  return entry->group.describe();
}

std::expected<std::vector<GroupListing>, ErrorCode> Coordinator::list() const {
  for (const auto& [index, shard] : shards_) {
    if (!shard.loaded) return std::unexpected(ErrorCode::kCoordinatorLoadInProgress);
  }
  std::vector<GroupListing> all;
  for (const auto& [id, entry] : groups_) {
    all.push_back({id, entry->group.protocol_type(), std::string(to_string(entry->group.phase()))});
  }
  return all;
}

std::vector<GroupSummary> Coordinator::summaries() const {
  std::vector<GroupSummary> all;
  for (const auto& [id, entry] : groups_) {
    GroupSummary summary{
        id, std::string(to_string(entry->group.phase())), static_cast<std::int32_t>(entry->group.member_count()), {}};
    for (const auto& [key, offset] : entry->offsets.all()) summary.offsets.emplace(key, offset.offset);
    all.push_back(std::move(summary));
  }
  return all;
}

Task<ErrorCode> Coordinator::delete_group(std::string group) {
  if (group.empty()) co_return ErrorCode::kInvalidGroupId;
  if (const ErrorCode error = check(group); error != ErrorCode::kNone) co_return error;
  Entry* entry = find(group);
  if (!entry) co_return ErrorCode::kGroupIdNotFound;
  if (!entry->group.vacant()) co_return ErrorCode::kNonEmptyGroup;
  std::vector<RecordBytes> records;
  for (const auto& [key, offset] : entry->offsets.all()) records.push_back(offset_tombstone(group, key));
  records.push_back(group_tombstone(group));
  drop(*entry, ErrorCode::kGroupIdNotFound);
  const auto written = log_.add(*partition_of(group), std::move(records));
  co_return (co_await written.wait()).error;
}

// ---------------------------------------------------------------------------------------- effects

void Coordinator::apply(Entry& entry, Effects effects) {
  for (auto& [id, response] : effects.joins) {
    const auto waiting = joining_.extract(id);
    CHECK(!waiting.empty());
    waiting.mapped().set(std::move(response));
  }
  for (auto& [id, response] : effects.syncs) {
    const auto waiting = syncing_.extract(id);
    CHECK(!waiting.empty());
    waiting.mapped().set(std::move(response));
  }
  if (entry.group.phase() == GroupPhase::kDead) return;
  if (entry.group.phase() != entry.phase_seen) {
    entry.phase_seen = entry.group.phase();
    entry.group.set_phase_since_ms(clock_.wall_ms());
  }
  if (effects.rebalanced) {
    metrics_.rebalances.Increment();
    LOG_INFO("coord.generation", {"group", entry.group.id()}, {"generation", entry.group.generation()},
             {"members", entry.group.member_count()});
  }
  if (effects.write) {
    std::vector<RecordBytes> records;
    records.push_back(group_record(entry.group.id(), entry.group.snapshot()));
    const auto outcome = log_.add(*partition_of(entry.group.id()), std::move(records));
    scope_.spawn(write_group(*this, entry.group.id(), *effects.write, outcome));
  }
  schedule(entry);
}

Task<void> Coordinator::write_group(Coordinator& self, std::string group, WriteId write,
                                    Promise<WriteOutcome> outcome) {
  const WriteOutcome result = co_await outcome.wait();
  Entry* entry = self.find(group);
  if (!entry) co_return;
  Effects effects;
  entry->group.written(self.clock_.now(), write, result.error, effects);
  self.apply(*entry, std::move(effects));
}

void Coordinator::schedule(Entry& entry) {
  const auto next = entry.group.next_deadline();
  if (!next) return;
  // An earlier timer looks again when it fires, so heartbeats do not have to move it.
  if (entry.timer && entry.timer_at <= *next) return;
  if (entry.timer) clock_.cancel(*entry.timer);
  entry.timer_at = *next;
  entry.timer = clock_.call_at(*next, [this, group = entry.group.id()] { on_timer(group); });
}

void Coordinator::on_timer(std::string group) {
  Entry* entry = find(group);
  if (!entry) return;
  entry->timer.reset();
  Effects effects;
  entry->group.advance(clock_.now(), effects);
  apply(*entry, std::move(effects));
}

void Coordinator::drop(Entry& entry, ErrorCode error) {
  if (entry.timer) clock_.cancel(*entry.timer);
  Effects effects;
  entry.group.kill(error, effects);
  apply(entry, std::move(effects));
  groups_.erase(groups_.find(entry.group.id()));
  metrics_.groups.Set(static_cast<double>(groups_.size()));
}

}  // namespace millrace::coord
