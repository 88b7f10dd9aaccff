#include "coord/group.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"

namespace millrace::coord {
namespace {

// A group with its own time, requests by name, and everything that it answered.
class Harness {
 public:
  explicit Harness(GroupOptions options = {.initial_rebalance_delay = 0s}) : options_(options), group("g", options_) {}

  struct Join {
    std::string member;
    std::optional<std::string> instance;
    std::int16_t version = 3;
    std::string metadata = "m";
    std::vector<std::string> protocols = {"range"};
    std::int32_t rebalance_ms = 10'000;
    std::string type = "consumer";
  };
  RequestId join(const Join& asked) {
    kafka::JoinGroupRequest request;
    request.group_id = "g";
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = asked.rebalance_ms;
    request.member_id = asked.member;
    if (asked.instance) request.group_instance_id = *asked.instance;
    request.protocol_type = asked.type;
    for (const auto& protocol : asked.protocols) request.protocols.push_back({protocol, asked.metadata});
    const RequestId id = ++last_request;
    Effects out;
    group.join(now, id, request, {asked.version, "client", "/host", std::to_string(id)}, out);
    take(out);
    return id;
  }
  RequestId sync(const std::string& member, std::int32_t generation,
                 const std::map<std::string, std::string>& assignment = {}) {
    kafka::SyncGroupRequest request;
    request.group_id = "g";
    request.member_id = member;
    request.generation_id = generation;
    for (const auto& [who, what] : assignment) request.assignments.push_back({who, what});
    const RequestId id = ++last_request;
    Effects out;
    group.sync(now, id, request, out);
    take(out);
    return id;
  }
  ErrorCode heartbeat(const std::string& member, std::int32_t generation) {
    kafka::HeartbeatRequest request;
    request.group_id = "g";
    request.member_id = member;
    request.generation_id = generation;
    return group.heartbeat(now, request);
  }
  ErrorCode leave(const std::string& member, std::optional<std::string_view> instance = {}) {
    Effects out;
    const ErrorCode error = group.leave(now, member, instance, out);
    take(out);
    return error;
  }
  void written(ErrorCode error = ErrorCode::kNone) {
    const auto writes = std::exchange(pending_writes, {});
    for (const WriteId write : writes) {
      Effects out;
      group.written(now, write, error, out);
      take(out);
    }
  }
  void pass(Duration time) {
    const SteadyTime until = now + time;
    while (group.next_deadline() && *group.next_deadline() <= until) {
      now = std::max(now, *group.next_deadline());
      Effects out;
      group.advance(now, out);
      take(out);
    }
    now = until;
  }
  void take(Effects& out) {
    for (auto& [id, response] : out.joins) EXPECT_TRUE(joins.emplace(id, response).second) << "answered twice";
    for (auto& [id, response] : out.syncs) EXPECT_TRUE(syncs.emplace(id, response).second) << "answered twice";
    if (out.write) pending_writes.push_back(*out.write);
  }
  ErrorCode join_error(RequestId id) { return kafka::error_from_wire(joins.at(id).error_code); }
  ErrorCode sync_error(RequestId id) { return kafka::error_from_wire(syncs.at(id).error_code); }
  std::string member_of(RequestId id) { return joins.at(id).member_id; }

  // One member, stable, in generation 1.
  std::string stable_with_one(std::optional<std::string> instance = {}) {
    const RequestId joined = join({.instance = instance});
    const std::string member = member_of(joined);
    sync(member, 1, {{member, "all"}});
    written();
    EXPECT_EQ(group.phase(), GroupPhase::kStable);
    return member;
  }

  GroupOptions options_;
  Group group;
  SteadyTime now{1000s};
  RequestId last_request = 0;
  std::map<RequestId, kafka::JoinGroupResponse> joins;
  std::map<RequestId, kafka::SyncGroupResponse> syncs;
  std::vector<WriteId> pending_writes;
};

TEST(Group, one_member_joins_syncs_and_is_stable_only_once_its_assignment_is_written) {
  Harness h;
  const auto joined = h.join({});
  EXPECT_EQ(h.join_error(joined), ErrorCode::kNone);
  EXPECT_EQ(h.joins[joined].generation_id, 1);
  EXPECT_EQ(h.joins[joined].leader, h.member_of(joined));
  EXPECT_EQ(h.joins[joined].members.size(), 1u);
  const std::string member = h.member_of(joined);
  const auto synced = h.sync(member, 1, {{member, "p0"}});
  EXPECT_FALSE(h.syncs.contains(synced));
  EXPECT_EQ(h.group.snapshot().members.at(0).assignment, "p0");
  h.written();
  EXPECT_EQ(h.syncs.at(synced).assignment, "p0");
  EXPECT_EQ(h.heartbeat(member, 1), ErrorCode::kNone);
}

TEST(Group, a_member_must_come_back_with_the_id_it_was_given) {
  Harness h;
  const auto first = h.join({.version = 4});
  EXPECT_EQ(h.join_error(first), ErrorCode::kMemberIdRequired);
  EXPECT_EQ(h.group.member_count(), 0u);
  const auto second = h.join({.member = h.member_of(first), .version = 4});
  EXPECT_EQ(h.join_error(second), ErrorCode::kNone);
  const auto stranger = h.join({.member = "nobody", .version = 4});
  EXPECT_EQ(h.join_error(stranger), ErrorCode::kUnknownMemberId);
}

TEST(Group, an_id_that_never_comes_back_holds_the_group_no_longer_than_a_session) {
  Harness h;
  const std::string one = h.stable_with_one();
  h.join({.version = 4});
  const auto again = h.join({.member = one, .metadata = "other"});
  EXPECT_FALSE(h.joins.contains(again));
  h.pass(10s);
  EXPECT_EQ(h.join_error(again), ErrorCode::kNone);
}

TEST(Group, a_second_member_makes_the_first_rejoin) {
  Harness h;
  const std::string one = h.stable_with_one();
  const auto two = h.join({});
  EXPECT_FALSE(h.joins.contains(two));
  EXPECT_EQ(h.heartbeat(one, 1), ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(h.group.check_commit(h.now, one, {}, 1), ErrorCode::kNone);
  const auto one_again = h.join({.member = one});
  EXPECT_EQ(h.joins.at(two).generation_id, 2);
  EXPECT_EQ(h.joins.at(one_again).members.size(), 2u);
  EXPECT_TRUE(h.joins.at(two).members.empty());
  EXPECT_EQ(h.heartbeat(one, 2), ErrorCode::kNone);
  EXPECT_EQ(h.group.check_commit(h.now, one, {}, 2), ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(h.heartbeat(one, 1), ErrorCode::kIllegalGeneration);
}

TEST(Group, a_member_that_does_not_rejoin_is_left_behind_after_the_rebalance_timeout) {
  Harness h;
  const std::string one = h.stable_with_one();
  const auto two = h.join({});
  for (int i = 0; i < 10; ++i) {
    h.pass(1s);
    h.heartbeat(one, 1);
  }
  EXPECT_EQ(h.joins.at(two).generation_id, 2);
  EXPECT_EQ(h.heartbeat(one, 1), ErrorCode::kUnknownMemberId);
}

TEST(Group, a_member_that_never_syncs_is_removed) {
  Harness h;
  const auto one = h.join({});
  h.pass(10s);
  EXPECT_EQ(h.group.member_count(), 0u);
  EXPECT_EQ(h.group.phase(), GroupPhase::kEmpty);
  EXPECT_EQ(h.heartbeat(h.member_of(one), 1), ErrorCode::kUnknownMemberId);
}

TEST(Group, silence_for_a_session_removes_a_member) {
  Harness h;
  const std::string one = h.stable_with_one();
  h.pass(9s);
  EXPECT_EQ(h.heartbeat(one, 1), ErrorCode::kNone);
  h.pass(9s);
  EXPECT_EQ(h.group.phase(), GroupPhase::kStable);
  h.pass(1s);
  EXPECT_EQ(h.group.phase(), GroupPhase::kEmpty);
  EXPECT_EQ(h.group.generation(), 2);
}

TEST(Group, the_first_rebalance_waits_for_company) {
  Harness h({.initial_rebalance_delay = 3s});
  const auto one = h.join({});
  h.pass(2s);
  const auto two = h.join({});
  h.pass(1s);
  EXPECT_FALSE(h.joins.contains(one));
  h.pass(3s);
  EXPECT_EQ(h.joins.at(one).generation_id, 1);
  EXPECT_EQ(h.joins.at(two).generation_id, 1);
}

TEST(Group, a_follower_that_joins_again_unchanged_gets_the_same_generation) {
  Harness h;
  const std::string one = h.stable_with_one();
  const auto two = h.join({});
  const auto leader = h.join({.member = one});
  h.sync(one, 2, {{one, "a"}, {h.member_of(two), "b"}});
  h.sync(h.member_of(two), 2);
  h.written();
  const auto again = h.join({.member = h.member_of(two)});
  EXPECT_EQ(h.joins.at(again).generation_id, 2);
  EXPECT_EQ(h.group.phase(), GroupPhase::kStable);
  h.join({.member = h.member_of(leader)});
  EXPECT_EQ(h.group.phase(), GroupPhase::kPreparingRebalance);
}

TEST(Group, a_static_member_comes_back_under_a_new_id_without_a_rebalance) {
  Harness h;
  const std::string old = h.stable_with_one("i1");
  const auto back = h.join({.instance = "i1", .version = 9});
  EXPECT_FALSE(h.joins.contains(back)) << "answered before it was written";
  h.written();
  EXPECT_EQ(h.joins.at(back).generation_id, 1);
  EXPECT_TRUE(h.joins.at(back).skip_assignment);
  EXPECT_EQ(h.joins.at(back).leader, h.member_of(back));
  const auto synced = h.sync(h.member_of(back), 1);
  EXPECT_EQ(h.syncs.at(synced).assignment, "all");
  kafka::HeartbeatRequest fenced;
  fenced.member_id = old;
  fenced.group_instance_id = "i1";
  fenced.generation_id = 1;
  EXPECT_EQ(h.group.heartbeat(h.now, fenced), ErrorCode::kFencedInstanceId);
}

TEST(Group, an_old_client_that_returns_as_static_leader_is_not_told_that_it_leads) {
  Harness h;
  const std::string old = h.stable_with_one("i1");
  const auto back = h.join({.instance = "i1", .version = 5});
  h.written();
  EXPECT_EQ(h.joins.at(back).leader, old);
  EXPECT_TRUE(h.joins.at(back).members.empty());
}

TEST(Group, a_static_member_with_another_subscription_rebalances_only_when_the_protocol_changes) {
  Harness h;
  const auto joined = h.join({.instance = "i1", .protocols = {"range", "sticky"}});
  h.sync(h.member_of(joined), 1, {{h.member_of(joined), "all"}});
  h.written();
  h.join({.instance = "i1", .version = 9, .metadata = "other", .protocols = {"range", "sticky"}});
  EXPECT_EQ(h.group.phase(), GroupPhase::kStable);
  h.join({.instance = "i1", .version = 9, .protocols = {"sticky", "range"}});
  EXPECT_EQ(h.group.phase(), GroupPhase::kCompletingRebalance);
  EXPECT_EQ(h.group.generation(), 2);
}

TEST(Group, refusals) {
  struct Case {
    const char* what;
    Harness::Join join;
    ErrorCode wanted;
  };
  const Case cases[] = {
      {"other protocol type", {.type = "connect"}, ErrorCode::kInconsistentGroupProtocol},
      {"no protocol type", {.type = ""}, ErrorCode::kInconsistentGroupProtocol},
      {"no protocol", {.protocols = {}}, ErrorCode::kInconsistentGroupProtocol},
      {"no common protocol", {.protocols = {"sticky"}}, ErrorCode::kInconsistentGroupProtocol},
      {"unknown member", {.member = "x"}, ErrorCode::kUnknownMemberId},
      {"unknown instance with an id", {.member = "x", .instance = "i"}, ErrorCode::kUnknownMemberId},
  };
  for (const auto& c : cases) {
    Harness h;
    h.stable_with_one();
    EXPECT_EQ(h.join_error(h.join(c.join)), c.wanted) << c.what;
    EXPECT_EQ(h.group.phase(), GroupPhase::kStable) << c.what;
  }
}

TEST(Group, a_full_group_takes_nobody_else) {
  Harness h({.initial_rebalance_delay = 0s, .max_size = 1});
  h.stable_with_one();
  EXPECT_EQ(h.join_error(h.join({})), ErrorCode::kGroupMaxSizeReached);
}

TEST(Group, the_protocol_that_most_members_prefer_and_all_support_wins) {
  Harness h({.initial_rebalance_delay = 3s});
  const auto one = h.join({.protocols = {"range", "sticky"}});
  h.join({.protocols = {"sticky", "range"}});
  h.join({.protocols = {"odd", "sticky", "range"}});
  h.pass(10s);
  EXPECT_EQ(h.joins.at(one).protocol_name, "sticky");
}

TEST(Group, a_failed_write_of_the_assignment_starts_over) {
  Harness h;
  const auto joined = h.join({});
  const auto synced = h.sync(h.member_of(joined), 1, {{h.member_of(joined), "a"}});
  h.written(ErrorCode::kNotCoordinator);
  EXPECT_EQ(h.sync_error(synced), ErrorCode::kNotCoordinator);
  EXPECT_EQ(h.group.phase(), GroupPhase::kPreparingRebalance);
}

TEST(Group, commits_are_taken_from_members_of_the_generation_and_from_anybody_when_it_is_empty) {
  Harness h;
  EXPECT_EQ(h.group.check_commit(h.now, "", {}, -1), ErrorCode::kNone);
  EXPECT_EQ(h.group.check_commit(h.now, "x", {}, 3), ErrorCode::kUnknownMemberId);
  const std::string one = h.stable_with_one();
  EXPECT_EQ(h.group.check_commit(h.now, "", {}, -1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(h.group.check_commit(h.now, one, {}, 1), ErrorCode::kNone);
  EXPECT_EQ(h.group.check_commit(h.now, one, {}, 0), ErrorCode::kIllegalGeneration);
}

TEST(Group, leaving_by_instance_id_removes_whoever_holds_it) {
  Harness h;
  h.stable_with_one("i1");
  EXPECT_EQ(h.leave("", "nobody"), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(h.leave("", "i1"), ErrorCode::kNone);
  EXPECT_EQ(h.group.phase(), GroupPhase::kEmpty);
}

TEST(Group, a_group_comes_back_from_its_record) {
  Harness h;
  const std::string one = h.stable_with_one("i1");
  Harness after;
  after.group = Group("g", after.options_, h.group.snapshot(), after.now);
  EXPECT_EQ(after.group.phase(), GroupPhase::kStable);
  EXPECT_EQ(after.heartbeat(one, 1), ErrorCode::kNone);
  EXPECT_EQ(after.syncs.at(after.sync(one, 1)).assignment, "all");
  after.pass(11s);
  EXPECT_EQ(after.group.phase(), GroupPhase::kEmpty);
}

// Random requests of many members: every request gets one answer, generations only rise, a stable group has an
// assignment for all its members, and after everybody fell silent the group is empty.
TEST(Group, random_histories_keep_the_invariants) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const auto random = make_seeded_random(seed);
    Harness h({.initial_rebalance_delay = seed % 3 == 0 ? Duration(3s) : Duration(0s), .max_size = 5});
    std::vector<std::string> ids{""};
    std::int32_t generation = 0;
    for (int step = 0; step < 200; ++step) {
      const std::string& who = ids[random->below(ids.size())];
      std::optional<std::string> instance;
      if (random->below(4) == 0) instance = "i" + std::to_string(random->below(3));
      switch (random->below(8)) {
        case 0:
        case 1:
          h.join({.member = who,
                  .instance = instance,
                  .version = static_cast<std::int16_t>(random->below(10)),
                  .metadata = std::to_string(random->below(2)),
                  .protocols = random->below(5) == 0 ? std::vector<std::string>{"sticky", "range"}
                                                     : std::vector<std::string>{"range"}});
          break;
        case 2:
        case 3: h.sync(who, h.group.generation(), {{who, "x"}}); break;
        case 4: h.heartbeat(who, h.group.generation()); break;
        case 5: random->below(3) == 0 ? void(h.leave(who)) : void(); break;
        case 6: h.written(random->below(10) == 0 ? ErrorCode::kNotCoordinator : ErrorCode::kNone); break;
        default: h.pass(std::chrono::milliseconds(random->below(4000)));
      }
      for (const auto& [id, response] : h.joins) {
        if (ids.size() < 12 && !response.member_id.empty() && response.error_code != 25) {
          if (std::ranges::find(ids, response.member_id) == ids.end()) ids.push_back(response.member_id);
        }
      }
      ASSERT_GE(h.group.generation(), generation) << seed;
      generation = h.group.generation();
      // While a rebalance waits there are also those who will not come back, and static members stay on.
      if (h.group.phase() != GroupPhase::kPreparingRebalance) {
        ASSERT_LE(h.group.member_count(), 5u + 3u) << seed;
      }
      if (h.group.phase() == GroupPhase::kEmpty) {
        ASSERT_EQ(h.group.member_count(), 0u) << seed;
      }
    }
    for (int i = 0; i < 100; ++i) {
      h.written();
      h.pass(10min);
    }
    h.written();
    EXPECT_EQ(h.group.phase(), GroupPhase::kEmpty) << seed;
    EXPECT_EQ(h.joins.size() + h.syncs.size(), h.last_request) << seed;
  }
}

}  // namespace
}  // namespace millrace::coord
