// Incremental fetch sessions (KIP-227): what a consumer asked for is remembered, so that it sends and receives
// only what changed. Pure; time is passed in.
//
// A Fetch works on a FetchSession whether it is kept or not: a sessionless request gets one that nobody
// keeps. Partitions are read in list order; those that gave data move to the end, so that none starves.
#pragma once

#include <cstdint>
#include <expected>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>

#include "base/clock.h"
#include "base/random.h"
#include "base/uuid.h"
#include "kafka/errors.h"
#include "kafka/messages/fetch.h"

namespace millrace::broker {

struct FetchPartition {
  // By id from version 13 on, by name before.
  std::string topic;
  Uuid topic_id;
  std::int32_t partition = 0;
  std::int32_t current_leader_epoch = -1;
  std::int64_t fetch_offset = 0;
  std::int32_t last_fetched_epoch = -1;
  std::int32_t max_bytes = 0;

  // What the consumer was told last; -1: nothing yet.
  std::int64_t told_high_watermark = -1;
  std::int64_t told_log_start = -1;
  // It was told an error, so it must hear of the partition again.
  bool told_error = false;
};

struct FetchSession {
  std::int32_t id = 0;  // 0: not kept
  std::int32_t next_epoch = 1;
  bool by_id = false;
  SteadyTime used_at{};
  // One request at a time works on a session: its partitions must stay where they are.
  bool in_use = false;
  std::list<FetchPartition> partitions;

  // Takes over what a request says: new partitions, changed positions, forgotten ones.
  void update(const kafka::FetchRequest& request);

 private:
  using Key = std::tuple<std::string, Uuid, std::int32_t>;
  std::map<Key, std::list<FetchPartition>::iterator> index_;
};

class FetchSessions {
 public:
  FetchSessions(Random& random, std::size_t slots) : random_(random), slots_(slots) {}

  struct Context {
    std::shared_ptr<FetchSession> session;
    // Only partitions with news are answered.
    bool incremental = false;
    // What the response says; 0 when no session is kept.
    std::int32_t session_id = 0;
  };
  // The error goes into the response's top level, with session id 0. The session is in use until `end`.
  std::expected<Context, kafka::ErrorCode> begin(SteadyTime now, const kafka::FetchRequest& request,
                                                 std::int16_t version);
  static void end(Context& context) { context.session->in_use = false; }
  std::size_t size() const { return sessions_.size(); }

 private:
  bool make_room(SteadyTime now);

  Random& random_;
  std::size_t slots_;
  std::unordered_map<std::int32_t, std::shared_ptr<FetchSession>> sessions_;
};

}  // namespace millrace::broker
