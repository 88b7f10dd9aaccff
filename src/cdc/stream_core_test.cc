#include "cdc/stream_core.h"

#include <gtest/gtest.h>

namespace millrace::cdc {
namespace {

// Two captured tables of one int column each, and one that is not captured.
class Port final : public StreamPort {
 public:
  Port() { config_.topic_prefix = "p", config_.dbname = "d", config_.key_schemas = config_.value_schemas = false; }
  Result<std::shared_ptr<const EventTable>> table_of(const PgMessage& relation) override {
    if (relation.name == "other") return nullptr;
    TypeRegistry types;
    types[23] = PgType{23, "int4", 'b', 0, 0, -1, {}};
    TableInfo info{relation.oid, "s", std::string(relation.name), {{"id", 23, -1, true, ""}}, {"id"}};
    TRY(auto table, EventTable::make(config_, types, info, {}));
    return std::shared_ptr<const EventTable>(std::move(table));
  }
  Result<std::int32_t> partitions_of(const std::string&) override { return 1; }

 private:
  ConnectorConfig config_;
};

PgMessage begin(std::uint32_t xid, Lsn commit_lsn) {
  PgMessage out;
  out.type = 'B', out.xid = xid, out.commit_lsn = commit_lsn;
  return out;
}
PgMessage commit(Lsn end) {
  PgMessage out;
  out.type = 'C', out.end_lsn = end;
  return out;
}
PgMessage relation(std::uint32_t oid, std::string_view name) {
  PgMessage out;
  out.type = 'R', out.oid = oid, out.schema = "s", out.name = name;
  out.columns.push_back(RelationColumn{true, "id", 23, -1});
  return out;
}
PgMessage insert(std::uint32_t oid, std::string_view id) {
  PgMessage out;
  out.type = 'I', out.oid = oid, out.new_row = {TupleColumn{'t', id}};
  return out;
}
PgMessage remove(std::uint32_t oid, std::string_view id) {
  PgMessage out;
  out.type = 'D', out.oid = oid, out.old_kind = 'K', out.old_row = {TupleColumn{'t', id}};
  return out;
}

Position at(Lsn lsn) {
  Position out;
  out.lsn = lsn;
  return out;
}

// Relations a (1), b (2), other (3), then transactions of inserts: {xid, {(relation, id)..}}; transaction x commits at
// x * 100.
struct Tx {
  std::uint32_t xid;
  std::vector<std::pair<std::uint32_t, std::string>> rows;
};
Result<void> run(StreamCore& core, const std::vector<Tx>& transactions) {
  Lsn lsn = 1;
  for (auto message : {relation(1, "a"), relation(2, "b"), relation(3, "other")})
    TRY_VOID(core.handle(lsn, message, 0));
  for (const auto& tx : transactions) {
    auto b = begin(tx.xid, tx.xid * 100);
    TRY_VOID(core.handle(tx.xid * 100 - 50, b, 0));
    for (const auto& [oid, id] : tx.rows) {
      auto row = insert(oid, id);
      TRY_VOID(core.handle(tx.xid * 100 - 40, row, 0));
    }
    auto c = commit(tx.xid * 100 + 10);
    TRY_VOID(core.handle(tx.xid * 100 + 10, c, 0));
  }
  return {};
}

std::vector<std::string> keys(const Unit& unit, std::string_view topic) {
  std::vector<std::string> out;
  for (const auto& batch : unit.batches) {
    if (batch.partition.topic != topic) continue;
    for (const auto& record : batch.records) out.push_back(record.key.value_or("-") + (record.value ? "" : "!"));
  }
  return out;
}
using Keys = std::vector<std::string>;

TEST(StreamCore, whole_transactions_become_a_unit_with_their_end_as_position) {
  Port port;
  StreamCore core(port, at(10));
  ASSERT_TRUE(run(core, {{1, {{1, "7"}, {3, "0"}, {2, "8"}}}, {2, {{1, "9"}}}}));
  const Unit unit = core.take();
  EXPECT_EQ(keys(unit, "p.s.a"), (Keys{"{\"id\":7}", "{\"id\":9}"}));
  EXPECT_EQ(keys(unit, "p.s.b"), (Keys{"{\"id\":8}"}));
  ASSERT_TRUE(unit.position);
  EXPECT_EQ(unit.position->lsn, 210u);
  EXPECT_FALSE(core.has_news());
}

TEST(StreamCore, half_a_transaction_has_no_position) {
  Port port;
  StreamCore core(port, at(10));
  auto r = relation(1, "a"), b = begin(5, 500), i = insert(1, "1");
  ASSERT_TRUE(core.handle(1, r, 0) && core.handle(450, b, 0) && core.handle(460, i, 0));
  const Unit unit = core.take();
  EXPECT_EQ(unit.batches.size(), 1u);
  EXPECT_FALSE(unit.position);
  core.advance(9999);
  EXPECT_EQ(core.position().lsn, 10u);
}

TEST(StreamCore, transactions_at_or_below_the_position_are_dropped) {
  Port port;
  StreamCore core(port, at(210));
  ASSERT_TRUE(run(core, {{1, {{1, "1"}}}, {2, {{1, "2"}}}, {3, {{1, "3"}}}}));
  EXPECT_EQ(keys(core.take(), "p.s.a"), Keys{"{\"id\":3}"});
}

TEST(StreamCore, deletes_carry_their_tombstone) {
  Port port;
  StreamCore core(port, at(0));
  auto r = relation(1, "a"), b = begin(5, 500), d = remove(1, "4"), c = commit(510);
  ASSERT_TRUE(core.handle(1, r, 0) && core.handle(450, b, 0) && core.handle(460, d, 0) && core.handle(510, c, 0));
  EXPECT_EQ(keys(core.take(), "p.s.a"), (Keys{"{\"id\":4}", "{\"id\":4}!"}));
}

TEST(StreamCore, what_a_snapshot_holds_is_left_out_for_its_tables_alone) {
  Port port;
  Position position = at(0);
  position.snapshots.push_back(PgSnapshot{2, 4, {2}, 250});
  position.tables["s.a"] = {0, true};
  StreamCore core(port, position);
  ASSERT_TRUE(run(core, {{1, {{1, "1"}, {2, "1"}}}, {2, {{1, "2"}}}, {3, {{1, "3"}}}, {4, {{1, "4"}}}}));
  const Unit unit = core.take();
  EXPECT_EQ(keys(unit, "p.s.a"), (Keys{"{\"id\":2}", "{\"id\":4}"}));
  EXPECT_EQ(keys(unit, "p.s.b"), Keys{"{\"id\":1}"});
  EXPECT_TRUE(unit.position->snapshots.empty()) << "past the snapshot it is no longer needed";
}

// For every way of dying, what landed plus what is written again is exactly what was to be written.
TEST(StreamCore, a_replay_adds_exactly_what_is_missing) {
  const std::vector<Tx> history{
      {1, {{1, "1"}, {2, "1"}}}, {2, {{1, "2"}, {1, "2"}, {2, "2"}}}, {3, {{2, "3"}}}, {4, {{1, "4"}}}};
  Port port;
  StreamCore whole(port, at(0));
  ASSERT_TRUE(run(whole, history));
  const Unit all = whole.take();
  for (const std::string& topic : std::vector<std::string>{"p.s.a", "p.s.b"}) {
    const auto expected = keys(all, topic);
    const std::uint32_t oid = topic == "p.s.a" ? 1 : 2;
    for (std::size_t landed = 0; landed <= expected.size(); ++landed) {
      LandedTail tail;
      std::size_t n = 0;
      for (const auto& tx : history) {
        for (const auto& [relation, id] : tx.rows) {
          if (relation != oid || n == landed) continue;
          ++n;
          tail = LandedTail{tx.xid, tail.xid == tx.xid ? tail.records + 1 : 1, "false"};
        }
      }
      StreamCore core(port, at(0));
      if (landed > 0) core.replay().expect({{{topic, 0}, tail}}, 1000);
      ASSERT_TRUE(run(core, history));
      EXPECT_TRUE(core.replay().done());
      const Unit rest = core.take();
      EXPECT_EQ(keys(rest, topic), Keys(expected.begin() + static_cast<std::ptrdiff_t>(landed), expected.end()));
      EXPECT_EQ(core.replayed, landed);
      EXPECT_TRUE(rest.position);
    }
  }
}

TEST(StreamCore, no_position_before_the_replay_is_complete) {
  Port port;
  StreamCore core(port, at(0));
  core.replay().expect({{{"p.s.a", 0}, LandedTail{2, 1, "false"}}}, 1000);
  ASSERT_TRUE(run(core, {{1, {{1, "1"}, {2, "1"}}}}));
  EXPECT_FALSE(core.take().position);
}

TEST(StreamCore, a_slot_that_does_not_replay_what_landed_stops_the_connector) {
  Port port;
  StreamCore core(port, at(0));
  core.replay().expect({{{"p.s.a", 0}, LandedTail{77, 1, "false"}}}, 250);
  const auto done = run(core, {{1, {{1, "1"}}}, {2, {{1, "2"}}}, {3, {{1, "3"}}}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Code::kFenced);
}

TEST(StreamCore, broken_streams_are_refused) {
  Port port;
  StreamCore core(port, at(0));
  auto i = insert(1, "1"), c = commit(5), b = begin(1, 100);
  EXPECT_EQ(core.handle(1, i, 0).error().code(), Code::kCorrupt);
  EXPECT_EQ(core.handle(1, c, 0).error().code(), Code::kCorrupt);
  ASSERT_TRUE(core.handle(1, b, 0));
  EXPECT_EQ(core.handle(1, b, 0).error().code(), Code::kCorrupt);
  EXPECT_EQ(core.handle(1, i, 0).error().code(), Code::kCorrupt) << "a relation never described";
}

}  // namespace
}  // namespace millrace::cdc
