// One client's conversation without any I/O: bytes in, requests out; answers in, bytes out.
//
// The owner feeds received bytes, takes requests in order and answers each before it takes the next; what
// is to be sent collects in `output()`. Framing, the login exchange (with a switch of plugin where the
// client's is not ours) and how a result ends (EOF or OK) are decided here. After an error from
// `next_request` the bytes make no sense any more: send what is in `output()` and hang up.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sql/mysql/auth.h"
#include "sql/mysql/codec.h"
#include "sql/session.h"

namespace millrace::sql::mysql {

// Answer with `accept_login` or `answer_error` (which ends a first login).
struct LoginRequest {
  Login login;
  std::string database;
};
struct CommandRequest {
  Command command;
  std::string body;  // after the command byte
};
using Request = std::variant<LoginRequest, CommandRequest>;

enum class RowFormat { kText, kBinary };

class Conversation {
 public:
  // Puts the greeting into `output()`.
  Conversation(std::uint32_t connection_id, std::string nonce, std::string peer_host);

  void feed(std::string_view bytes) { reader_.feed(bytes); }
  Result<std::optional<Request>> next_request();
  std::size_t buffered() const { return reader_.buffered(); }

  std::string& output() { return output_; }
  bool logged_in() const { return phase_ == Phase::kReady; }
  bool has(std::uint32_t capability_bit) const { return (capabilities_ & capability_bit) != 0; }
  // COM_SET_OPTION: several statements in one COM_QUERY.
  void set_multi_statements(bool on);
  // Status flags for every answer from now on, kMoreResults aside.
  void set_in_transaction(bool in) { in_transaction_ = in; }
  void set_autocommit(bool on) { autocommit_ = on; }
  // While set, answers say that another result follows (multi-statements).
  void set_more_results(bool more) { more_results_ = more; }

  void accept_login();
  void answer_ok(std::uint64_t affected_rows, std::uint64_t warnings, std::string info = {});
  void answer_error(const SqlError& error);
  // A bare string, as COM_STATISTICS is answered.
  void answer_text(std::string_view text) { send(text); }
  void answer_fields(const std::vector<FieldDefinition>& fields);  // COM_FIELD_LIST
  void answer_prepared(std::uint32_t statement_id, std::uint16_t parameters, const std::vector<ColumnInfo>& columns);

  void begin_result(const std::vector<ColumnInfo>& columns);
  void add_row(const std::vector<ColumnInfo>& columns, const Chunk& chunk, std::size_t row, RowFormat format);
  void end_result(std::uint64_t warnings);
  // Instead of a result: its columns, and the word that its rows are to be fetched; what ends each fetch.
  void begin_cursor(const std::vector<ColumnInfo>& columns);
  void end_fetch(bool last_row_sent);

 private:
  enum class Phase { kHandshake, kAuthSwitch, kDeciding, kReady };

  void send(std::string_view payload) { append_packets(output_, payload, sequence_); }
  void send_eof(std::uint16_t warnings);
  void send_columns(const std::vector<ColumnInfo>& columns);
  std::uint16_t status() const;
  Result<std::optional<Request>> login_message(std::string_view payload);
  Result<std::optional<Request>> change_user(std::string_view body);
  std::optional<Request> login_or_switch(HandshakeResponse response);

  PacketReader reader_;
  std::string output_;
  std::string scratch_;
  std::uint8_t sequence_ = 0;
  Phase phase_ = Phase::kHandshake;
  std::uint32_t capabilities_ = 0;
  std::uint16_t cursor_status_ = 0;
  LoginRequest pending_;
  bool in_transaction_ = false, autocommit_ = true, more_results_ = false;
};

}  // namespace millrace::sql::mysql
