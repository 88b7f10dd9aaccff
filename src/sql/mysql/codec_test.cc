#include "sql/mysql/codec.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sql/mysql/auth.h"
#include "sql/mysql/rows.h"

namespace millrace::sql::mysql {
namespace {

using namespace std::string_literals;  // NOLINT: bytes with zeros in them

std::string framed(std::string_view payload, std::uint8_t sequence = 0) {
  std::string out;
  append_packets(out, payload, sequence);
  return out;
}

TEST(Lenenc, borders_round_trip) {
  for (const std::uint64_t value : {0ull, 1ull, 250ull, 251ull, 65535ull, 65536ull, 16777215ull, 16777216ull, ~0ull}) {
    std::string bytes;
    write_lenenc(bytes, value);
    ByteReader reader(bytes);
    EXPECT_EQ(read_lenenc(reader), value);
    EXPECT_TRUE(reader.ok() && reader.at_end()) << value;
  }
}

TEST(Lenenc, a_string_longer_than_its_bytes_is_refused) {
  const std::string bytes = "\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"s + "abc";
  ByteReader reader(bytes);
  EXPECT_EQ(read_lenenc_string(reader), "");
  EXPECT_FALSE(reader.ok());
}

TEST(Packets, arrive_byte_by_byte) {
  PacketReader reader(1000);
  const std::string bytes = framed("\x03SELECT 1") + framed("\x0e");
  std::vector<std::string> got;
  for (const char c : bytes) {
    reader.feed({&c, 1});
    auto message = reader.next();
    ASSERT_TRUE(message.has_value());
    if (!*message) continue;
    got.push_back(std::move(**message));
    reader.expect_sequence(0);
  }
  EXPECT_EQ(got, (std::vector<std::string>{"\x03SELECT 1", "\x0e"}));
}

TEST(Packets, long_messages_are_split_and_joined) {
  for (const std::size_t size : {kPacketBytesMax - 1, kPacketBytesMax, kPacketBytesMax + 1}) {
    const std::string payload(size, 'x');
    const std::string bytes = framed(payload);
    EXPECT_EQ(bytes.size(), size + (size >= kPacketBytesMax ? 8 : 4));
    PacketReader reader(kMessageBytesMax);
    reader.feed(bytes);
    auto message = reader.next();
    ASSERT_TRUE(message && *message);
    EXPECT_EQ((*message)->size(), size);
  }
}

TEST(Packets, a_claimed_length_over_the_limit_is_refused_before_its_bytes_come) {
  PacketReader reader(100);
  reader.feed("\xff\xff\xff\x00"s);
  const auto message = reader.next();
  ASSERT_FALSE(message.has_value());
  EXPECT_EQ(message.error().code(), Code::kExhausted);
}

TEST(Packets, a_sequence_id_out_of_order_is_refused) {
  PacketReader reader(100);
  reader.feed(framed("x", 3));
  const auto message = reader.next();
  ASSERT_FALSE(message.has_value());
  EXPECT_EQ(message.error().code(), Code::kCorrupt);
}

TEST(Handshake, has_the_bytes_of_protocol_version_10) {
  const std::string bytes = encode_handshake({.connection_id = 7, .nonce = "abcdefghijklmnopqrst"});
  EXPECT_EQ(bytes.substr(0, 17),
            "\x0a"
            "8.0.33-millrace\0"s);
  EXPECT_EQ(bytes.substr(17, 13), "\x07\0\0\0abcdefgh\0"s);
  EXPECT_TRUE(bytes.ends_with("ijklmnopqrst\0caching_sha2_password\0"s));
}

// As PyMySQL sends it.
std::string client_answer() {
  std::string out;
  ByteWriter writer(out);
  writer.le(std::uint32_t{capability::kProtocol41 | capability::kSecureConnection | capability::kPluginAuth |
                          capability::kPluginAuthLenenc | capability::kConnectWithDb | capability::kConnectAttrs});
  writer.le(std::uint32_t{16 << 20});
  writer.u8(45);
  writer.bytes(std::string(23, '\0'));
  writer.bytes("root\0"s);
  write_lenenc_string(out, "scramble");
  writer.bytes("shop\0"s);
  writer.bytes("mysql_native_password\0"s);
  write_lenenc_string(out, "\x03_os\x05linux");
  return out;
}

TEST(Handshake, a_clients_answer_is_read) {
  const auto response = decode_handshake_response(client_answer());
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->user, "root");
  EXPECT_EQ(response->auth_response, "scramble");
  EXPECT_EQ(response->database, "shop");
  EXPECT_EQ(response->auth_plugin, "mysql_native_password");
}

TEST(Handshake, truncated_at_any_byte_it_is_refused_or_lacks_only_optional_parts) {
  const std::string whole = client_answer();
  const std::size_t required = whole.find("scramble") + 8;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto response = decode_handshake_response(whole.substr(0, size));
    if (size < required) {
      EXPECT_FALSE(response.has_value()) << size;
    } else if (response) {
      EXPECT_EQ(response->user, "root");
    }
  }
}

TEST(Handshake, a_client_older_than_4_1_is_told_so) {
  const auto response = decode_handshake_response(std::string(40, '\0'));
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code(), Code::kUnsupported);
}

TEST(Answers, have_their_golden_bytes) {
  EXPECT_EQ(encode_ok({.affected_rows = 3, .warnings = 1}), "\x00\x03\x00\x02\x00\x01\x00"s);
  EXPECT_EQ(encode_eof(2, 0), "\xfe\x00\x00\x02\x00"s);
  EXPECT_EQ(encode_error({1064, "42000", "no"}), "\xff\x28\x04#42000no"s);
  EXPECT_EQ(encode_prepare_ok({.statement_id = 1, .columns = 2, .parameters = 3}),
            "\x00\x01\x00\x00\x00\x02\x00\x03\x00\x00\x00\x00"s);
  EXPECT_EQ(encode_auth_switch("p", "n"), "\xfep\0n\0"s);
}

std::string execute_body() {
  std::string out;
  ByteWriter writer(out);
  writer.le(std::uint32_t{1});
  writer.u8(0);
  writer.le(std::uint32_t{1});
  writer.u8(0b00000010);  // the second of eight is NULL
  writer.u8(1);
  const std::pair<FieldType, std::uint8_t> types[] = {
      {FieldType::kLongLong, 0x80}, {FieldType::kNull, 0},     {FieldType::kDouble, 0}, {FieldType::kFloat, 0},
      {FieldType::kVarString, 0},   {FieldType::kDatetime, 0}, {FieldType::kTime, 0},   {FieldType::kTiny, 0}};
  for (const auto& [type, flag] : types) {
    writer.u8(static_cast<std::uint8_t>(type));
    writer.u8(flag);
  }
  writer.le(~std::uint64_t{0});
  writer.le(2.5);
  writer.le(0.1f);
  write_lenenc_string(out, "it's");
  writer.bytes("\x0b\xe8\x07\x01\x1f\x0a\x0b\x0c\x20\xa1\x07\x00"s);
  writer.bytes("\x08\x01\x01\x00\x00\x00\x02\x03\x04"s);
  writer.u8(0xff);
  return out;
}

TEST(Execute, reads_every_kind_of_parameter) {
  std::vector<ParameterType> types;
  const auto execute = decode_execute(execute_body(), 8, types, {});
  ASSERT_TRUE(execute.has_value()) << execute.error().message();
  std::vector<std::string> texts;
  for (const auto& parameter : execute->parameters) texts.push_back(parameter.text);
  EXPECT_EQ(texts, (std::vector<std::string>{"18446744073709551615", "", "2.500000e+00", "0.1", "it's",
                                             "2024-01-31 10:11:12.500000", "-26:03:04", "-1"}));
  EXPECT_EQ(execute->parameters[1].kind, Parameter::Kind::kNull);
}

TEST(Execute, types_of_the_execute_before_hold) {
  std::vector<ParameterType> types = {{FieldType::kTiny, false}};
  const auto execute = decode_execute("\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x07"s, 1, types, {});
  ASSERT_TRUE(execute.has_value());
  EXPECT_EQ(execute->parameters[0].text, "7");
}

TEST(Execute, long_data_takes_the_place_of_a_value) {
  std::vector<ParameterType> types;
  const auto execute =
      decode_execute("\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x01\xfc\x00"s, 1, types, {std::string("long")});
  ASSERT_TRUE(execute.has_value());
  EXPECT_EQ(execute->parameters[0].text, "long");
  EXPECT_EQ(execute->parameters[0].kind, Parameter::Kind::kBytes);
}

TEST(Execute, truncated_at_any_byte_is_refused) {
  const std::string whole = execute_body();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::vector<ParameterType> types;
    EXPECT_FALSE(decode_execute(whole.substr(0, size), 8, types, {}).has_value()) << size;
  }
}

TEST(Auth, scrambles_match_known_answers) {
  // SHA1/SHA256 formulas checked with Python's hashlib for nonce "abcdefghijklmnopqrst".
  const auto hex = [](const std::string& bytes) {
    std::string out;
    for (const unsigned char c : bytes) out += fmt::format("{:02x}", c);
    return out;
  };
  EXPECT_EQ(hex(native_password_scramble("secret", "abcdefghijklmnopqrst")),
            "8817c50fa779daef010ee7577825b0847df9842e");
  EXPECT_EQ(hex(caching_sha2_scramble("secret", "abcdefghijklmnopqrst")),
            "c76e2898612a4cf042c77fa8c4702c4c64c0c2c557c53c4d75595aaa6abae809");
  EXPECT_EQ(native_password_scramble("", "x"), "");
}

TEST(Auth, only_root_without_password_from_this_machine_may_enter) {
  const auto login = [](std::string user, std::string response, std::string host) {
    return check_login({std::move(user), kCachingSha2, std::move(response), "abcdefghijklmnopqrst", std::move(host)});
  };
  EXPECT_TRUE(login("root", "", "127.0.0.1").has_value());
  EXPECT_TRUE(login("root", "\0"s, "::1").has_value());
  EXPECT_FALSE(login("root", "", "10.0.0.1").has_value());
  EXPECT_FALSE(login("ann", "", "127.0.0.1").has_value());
  EXPECT_FALSE(login("root", std::string(32, 'x'), "127.0.0.1").has_value());
}

std::string text_of(ColumnInfo column, Cell cell) {
  cell.is_null = false;
  std::string out;
  append_cell_text(out, column, cell);
  return out;
}

TEST(Cells, print_as_mysql_prints_them) {
  using enum ColumnType;
  EXPECT_EQ(text_of({.type = kBool}, {.integer = 1}), "1");
  EXPECT_EQ(text_of({.type = kUInt64}, {.unsigned_int = ~0ull}), "18446744073709551615");
  EXPECT_EQ(text_of({.type = kDouble}, {.real = 0.1}), "0.1");
  EXPECT_EQ(text_of({.type = kDouble}, {.real = 1e20}), "1e20");
  EXPECT_EQ(text_of({.type = kDecimal, .precision = 10, .scale = 2}, {.decimal = -5}), "-0.05");
  EXPECT_EQ(text_of({.type = kDecimal, .precision = 38, .scale = 0}, {.decimal = 12}), "12");
  EXPECT_EQ(text_of({.type = kDate}, {.integer = 0}), "1970-01-01");
  EXPECT_EQ(text_of({.type = kDate}, {.integer = -719162}), "0001-01-01");
  EXPECT_EQ(text_of({.type = kDate}, {.integer = 19782}), "2024-02-29");
  EXPECT_EQ(text_of({.type = kTimestamp}, {.integer = -1}), "1969-12-31 23:59:59.999999");
  EXPECT_EQ(text_of({.type = kTimestamp}, {.integer = 86'400'000'000}), "1970-01-02 00:00:00");
  EXPECT_EQ(text_of({.type = kTime}, {.integer = 3'661'000'000}), "01:01:01");
}

}  // namespace
}  // namespace millrace::sql::mysql
