#include "broker/fetch_sessions.h"

#include <limits>
#include <utility>

namespace millrace::broker {
namespace {

constexpr std::int32_t kInitialEpoch = 0;
constexpr std::int32_t kFinalEpoch = -1;
constexpr std::int16_t kFetchTopicIdsSince = 13;
constexpr Duration kIdleBeforeEviction = 2min;

}  // namespace

void FetchSession::update(const kafka::FetchRequest& request) {
  for (const auto& topic : request.topics) {
    for (const auto& asked : topic.partitions) {
      const Key key{std::string(topic.topic), topic.topic_id, asked.partition};
      const auto known = index_.find(key);
      FetchPartition& partition = known != index_.end() ? *known->second : partitions.emplace_back();
      if (known == index_.end()) {
        partition.topic = std::string(topic.topic);
        partition.topic_id = topic.topic_id;
        partition.partition = asked.partition;
        index_.emplace(key, std::prev(partitions.end()));
      }
      partition.current_leader_epoch = asked.current_leader_epoch;
      partition.fetch_offset = asked.fetch_offset;
      partition.last_fetched_epoch = asked.last_fetched_epoch;
      partition.max_bytes = asked.partition_max_bytes;
    }
  }
  for (const auto& topic : request.forgotten_topics_data) {
    for (const std::int32_t partition : topic.partitions) {
      const auto known = index_.find(Key{std::string(topic.topic), topic.topic_id, partition});
      if (known == index_.end()) continue;
      partitions.erase(known->second);
      index_.erase(known);
    }
  }
}

bool FetchSessions::make_room(SteadyTime now) {
  if (sessions_.size() < slots_) return true;
  auto oldest = sessions_.end();
  for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
    if (oldest == sessions_.end() || it->second->used_at < oldest->second->used_at) oldest = it;
  }
  if (oldest == sessions_.end() || now - oldest->second->used_at < kIdleBeforeEviction) return false;
  sessions_.erase(oldest);
  return true;
}

std::expected<FetchSessions::Context, kafka::ErrorCode> FetchSessions::begin(SteadyTime now,
                                                                             const kafka::FetchRequest& request,
                                                                             std::int16_t version) {
  const bool by_id = version >= kFetchTopicIdsSince;
  if (request.session_epoch == kInitialEpoch || request.session_epoch == kFinalEpoch) {
    if (request.session_id != 0) sessions_.erase(request.session_id);
    auto session = std::make_shared<FetchSession>();
    session->by_id = by_id;
    session->used_at = now;
    session->in_use = true;
    session->update(request);
    Context context{session, false, 0};
    if (request.session_epoch == kInitialEpoch && !session->partitions.empty() && make_room(now)) {
      do {
        session->id = static_cast<std::int32_t>(1 + random_.below(std::numeric_limits<std::int32_t>::max()));
      } while (sessions_.contains(session->id));
      sessions_[session->id] = session;
      context.session_id = session->id;
    }
    return context;
  }
  const auto known = sessions_.find(request.session_id);
  if (known == sessions_.end()) return std::unexpected(kafka::ErrorCode::kFetchSessionIdNotFound);
  const std::shared_ptr<FetchSession> session = known->second;
  if (session->by_id != by_id) return std::unexpected(kafka::ErrorCode::kFetchSessionTopicIdError);
  if (session->next_epoch != request.session_epoch || session->in_use) {
    return std::unexpected(kafka::ErrorCode::kInvalidFetchSessionEpoch);
  }
  session->next_epoch = session->next_epoch == std::numeric_limits<std::int32_t>::max() ? 1 : session->next_epoch + 1;
  session->used_at = now;
  session->in_use = true;
  session->update(request);
  if (session->partitions.empty()) {
    sessions_.erase(session->id);
    return Context{session, false, 0};
  }
  return Context{session, true, session->id};
}

}  // namespace millrace::broker
