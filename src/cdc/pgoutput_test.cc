#include "cdc/pgoutput.h"

#include <gtest/gtest.h>

#include "base/codec.h"

namespace millrace::cdc {
namespace {

std::string hex(std::string_view digits) {
  std::string out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out.push_back(static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

std::string text_column(std::string_view value) {
  std::string out = "t";
  ByteWriter(out).be(static_cast<std::uint32_t>(value.size()));
  return out + std::string(value);
}

// U of relation 16385: old key (7), new row (8, unchanged TOAST, null).
std::string update_bytes() {
  return hex("5500004001") + "K" + hex("0001") + text_column("7") + "N" + hex("0003") + text_column("8") + "un";
}

TEST(Pgoutput, begin_of_a_real_server_is_read) {
  PgMessage message;
  ASSERT_TRUE(decode_pgoutput(hex("42000000000277b9a80002be0e7dd43e40000003a1"), message));
  EXPECT_EQ(message.type, 'B');
  EXPECT_EQ(lsn_text(message.commit_lsn), "0/277B9A8");
  EXPECT_EQ(message.xid, 929u);
  EXPECT_EQ(message.commit_us, 0x0002be0e7dd43e40LL + 946684800000000LL);
}

TEST(Pgoutput, update_with_key_and_unchanged_toast_is_read) {
  PgMessage message;
  const std::string bytes = update_bytes();
  ASSERT_TRUE(decode_pgoutput(bytes, message));
  EXPECT_EQ(message.oid, 16385u);
  EXPECT_EQ(message.old_kind, 'K');
  ASSERT_EQ(message.old_row.size(), 1u);
  EXPECT_EQ(message.old_row[0].value, "7");
  ASSERT_EQ(message.new_row.size(), 3u);
  EXPECT_EQ(message.new_row[0].value, "8");
  EXPECT_EQ(message.new_row[1].kind, 'u');
  EXPECT_EQ(message.new_row[2].kind, 'n');
}

TEST(Pgoutput, relation_is_read) {
  PgMessage message;
  const std::string bytes = hex("5200004001") + std::string("public\0t\0d", 10) + hex("0002") + hex("01") +
                            std::string("id\0", 3) + hex("00000017ffffffff") + hex("00") + std::string("n\0", 2) +
                            hex("000006a4000a0006");
  ASSERT_TRUE(decode_pgoutput(bytes, message));
  EXPECT_EQ(message.schema, "public");
  EXPECT_EQ(message.name, "t");
  ASSERT_EQ(message.columns.size(), 2u);
  EXPECT_TRUE(message.columns[0].in_identity);
  EXPECT_EQ(message.columns[0].type_oid, 23u);
  EXPECT_EQ(message.columns[1].name, "n");
  EXPECT_EQ(message.columns[1].typmod, 0x000a0006);
}

TEST(Pgoutput, every_truncation_of_every_message_is_refused) {
  const std::string messages[] = {
      hex("42000000000277b9a80002be0e7dd43e40000003a1"),
      hex("4300000000000277b9a8000000000277b9d80002be0e7dd43e40"),
      hex("4f0000000000000010") + std::string("o\0", 2),
      hex("5200004001") + std::string("p\0t\0d", 5) + hex("000101") + std::string("id\0", 3) + hex("00000017ffffffff"),
      hex("5900004001") + std::string("p\0mood\0", 7),
      hex("49000040014e0001") + text_column("x"),
      update_bytes(),
      hex("4400004001") + "O" + hex("0001") + text_column("x"),
      hex("5400000001010000") + hex("4001"),
      hex("4d010000000000000010") + std::string("p\0", 2) + hex("00000002") + "hi",
  };
  for (const auto& bytes : messages) {
    PgMessage message;
    EXPECT_TRUE(decode_pgoutput(bytes, message)) << bytes[0];
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      auto done = decode_pgoutput(std::string_view(bytes).substr(0, size), message);
      ASSERT_FALSE(done) << bytes[0] << " cut at " << size;
      EXPECT_EQ(done.error().code(), Code::kCorrupt);
    }
    EXPECT_FALSE(decode_pgoutput(bytes + "x", message)) << "bytes left over";
  }
}

TEST(Pgoutput, insert_with_an_old_row_and_delete_with_a_new_one_are_refused) {
  PgMessage message;
  EXPECT_FALSE(decode_pgoutput(hex("4900004001") + "K" + hex("0000") + "N" + hex("0000"), message));
  EXPECT_FALSE(decode_pgoutput(hex("4400004001") + "N" + hex("0000"), message));
}

TEST(Pgoutput, frames_are_read_and_truncated_ones_refused) {
  const std::string data = hex("77000000000000001000000000000000200002be0e7dd43e40") + "payload";
  auto frame = decode_frame(data);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->start, 0x10u);
  EXPECT_EQ(frame->wal_end, 0x20u);
  EXPECT_EQ(frame->payload, "payload");
  for (std::size_t size = 0; size < 25; ++size) EXPECT_FALSE(decode_frame(std::string_view(data).substr(0, size)));
  const std::string keepalive = hex("6b00000000000000200002be0e7dd43e4001");
  ASSERT_TRUE(decode_frame(keepalive));
  EXPECT_TRUE(decode_frame(keepalive)->reply_now);
  for (std::size_t size = 0; size < keepalive.size(); ++size) {
    EXPECT_FALSE(decode_frame(std::string_view(keepalive).substr(0, size)));
  }
}

TEST(Pgoutput, status_has_the_servers_layout) {
  const std::string bytes = encode_status(0x30, 0x20, 946684800000000LL + 5, true);
  EXPECT_EQ(bytes, hex("72000000000000003000000000000000200000000000000020000000000000000501"));
}

TEST(Pgoutput, lsn_text_goes_both_ways) {
  EXPECT_EQ(lsn_text(0x16B374D848ULL), "16/B374D848");
  EXPECT_EQ(parse_lsn("16/B374D848").value(), 0x16B374D848ULL);
  for (const char* bad : {"", "16", "16/", "/1", "x/1", "1/1 ", "123456789/0"}) EXPECT_FALSE(parse_lsn(bad)) << bad;
}

}  // namespace
}  // namespace millrace::cdc
