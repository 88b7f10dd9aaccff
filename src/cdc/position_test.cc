#include "cdc/position.h"

#include <gtest/gtest.h>

namespace millrace::cdc {
namespace {

TEST(Position, goes_both_ways) {
  Position position;
  position.system_id = "7312", position.timeline = 3, position.phase = Position::Phase::kSnapshot, position.lsn = 12345;
  position.streamed = true;
  position.snapshots.push_back(PgSnapshot{10, 20, {11, 15}, 99});
  position.tables["s.\"odd\""] = {0, true};
  position.offsets[{"p.s.t", 2}] = 77;
  const std::string text = encode_position(position);
  const auto again = decode_position(text);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(encode_position(*again), text);
  EXPECT_EQ(again->offsets.at({"p.s.t", 2}), 77);
  EXPECT_TRUE(again->tables.at("s.\"odd\"").done);
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto cut = decode_position(std::string_view(text).substr(0, size));
    ASSERT_FALSE(cut) << size;
    EXPECT_EQ(cut.error().code(), Code::kCorrupt);
  }
}

TEST(Position, foreign_versions_and_wild_tables_are_refused) {
  EXPECT_FALSE(decode_position(R"({"version":2})"));
  EXPECT_FALSE(decode_position(
      R"({"version":1,"system":"1","timeline":1,"phase":"streaming","lsn":1,"streamed":true,"snapshots":[],)"
      R"("tables":{"a":{"snapshot":0,"done":true}},"offsets":[]})"));
}

TEST(PgSnapshot, holds_what_was_committed_when_it_was_taken) {
  const auto snapshot = parse_pg_snapshot("10:20:12,15");
  ASSERT_TRUE(snapshot);
  EXPECT_TRUE(snapshot->holds(9) && snapshot->holds(10) && snapshot->holds(19));
  EXPECT_FALSE(snapshot->holds(12) || snapshot->holds(15) || snapshot->holds(20) || snapshot->holds(21));
  for (const auto* bad : {"", "1", "1:2", "a:2:", "1:2:x"}) EXPECT_FALSE(parse_pg_snapshot(bad)) << bad;
}

TEST(PgSnapshot, holds_is_right_around_the_wrap_of_transaction_ids) {
  PgSnapshot snapshot;
  snapshot.xmin = snapshot.xmax = (std::uint64_t{3} << 32) + 5;
  EXPECT_TRUE(snapshot.holds(0xfffffff0u)) << "of the epoch before";
  EXPECT_TRUE(snapshot.holds(4));
  EXPECT_FALSE(snapshot.holds(5));
  snapshot.xmin = snapshot.xmax = (std::uint64_t{3} << 32) - 5;
  EXPECT_FALSE(snapshot.holds(7)) << "of the epoch after";
}

TEST(LandedEvent, is_read_with_and_without_schema_and_nothing_else_is) {
  const std::string plain = R"({"before":null,"source":{"name":"p","snapshot":"false","txId":7,"lsn":9},"op":"c"})";
  for (const auto& text : {plain, R"({"schema":{"a":1},"payload":)" + plain + "}"}) {
    const auto event = decode_landed_event(text);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->name, "p");
    EXPECT_EQ(event->xid, 7);
    EXPECT_EQ(event->lsn, 9u);
  }
  for (const auto* text : {"", "1", "{}", R"({"source":{}})", R"({"source":{"name":"p"}})", "\xff"})
    EXPECT_FALSE(decode_landed_event(text));
}

}  // namespace
}  // namespace millrace::cdc
