#include "sql/mysql/conversation.h"

#include <algorithm>

#include "sql/mysql/rows.h"

namespace millrace::sql::mysql {

Conversation::Conversation(std::uint32_t connection_id, std::string nonce, std::string peer_host)
    : reader_(kHandshakeBytesMax) {
  pending_.login.nonce = std::move(nonce);
  pending_.login.peer_host = std::move(peer_host);
  send(encode_handshake({.connection_id = connection_id, .nonce = pending_.login.nonce}));
  reader_.expect_sequence(1);
}

Result<std::optional<Request>> Conversation::next_request() {
  if (phase_ == Phase::kReady) reader_.expect_sequence_if_idle(0);
  TRY(auto message, reader_.next());
  if (!message) return std::optional<Request>();
  sequence_ = reader_.sequence();
  if (phase_ != Phase::kReady) return login_message(*message);
  if (message->empty()) return fail(Code::kCorrupt, "an empty command");
  const auto command = static_cast<Command>((*message)[0]);
  message->erase(0, 1);
  if (command == Command::kChangeUser) return change_user(*message);
  return std::optional<Request>(CommandRequest{command, std::move(*message)});
}

Result<std::optional<Request>> Conversation::login_message(std::string_view payload) {
  if (phase_ == Phase::kAuthSwitch) {
    pending_.login.response = payload;
    phase_ = Phase::kDeciding;
    return std::optional<Request>(pending_);
  }
  if (phase_ == Phase::kDeciding) return fail(Code::kCorrupt, "a message while the login is being decided");
  TRY(auto response, decode_handshake_response(payload));
  capabilities_ = response.capabilities & capability::kServer;
  return login_or_switch(std::move(response));
}

Result<std::optional<Request>> Conversation::change_user(std::string_view body) {
  TRY(auto response, decode_change_user(body, capabilities_));
  reader_.set_message_bytes_max(kHandshakeBytesMax);
  return login_or_switch(std::move(response));
}

std::optional<Request> Conversation::login_or_switch(HandshakeResponse response) {
  pending_.login.user = std::move(response.user);
  pending_.database = std::move(response.database);
  pending_.login.plugin = response.auth_plugin.empty() ? kNativePassword : response.auth_plugin;
  if (is_known_plugin(pending_.login.plugin)) {
    pending_.login.response = std::move(response.auth_response);
    phase_ = Phase::kDeciding;
    return Request(pending_);
  }
  // Both plugins take the same nonce; a client with a third one (sha256_password, ...) goes over to ours.
  pending_.login.plugin = has(capability::kPluginAuth) ? kCachingSha2 : kNativePassword;
  send(encode_auth_switch(pending_.login.plugin, pending_.login.nonce));
  reader_.expect_sequence(sequence_);
  phase_ = Phase::kAuthSwitch;
  return std::nullopt;
}

void Conversation::accept_login() {
  phase_ = Phase::kReady;
  reader_.set_message_bytes_max(kMessageBytesMax);
  // An empty password needs no fast-path mark: clients take the OK at once.
  answer_ok(0, 0);
}

void Conversation::set_multi_statements(bool on) {
  capabilities_ = on ? capabilities_ | capability::kMultiStatements : capabilities_ & ~capability::kMultiStatements;
}

std::uint16_t Conversation::status() const {
  return static_cast<std::uint16_t>((in_transaction_ ? status::kInTransaction : 0) |
                                    (autocommit_ ? status::kAutocommit : 0) |
                                    (more_results_ ? status::kMoreResults : 0) | cursor_status_);
}

namespace {
std::uint16_t clamp16(std::uint64_t n) { return static_cast<std::uint16_t>(std::min<std::uint64_t>(n, 0xffff)); }
}  // namespace

void Conversation::answer_ok(std::uint64_t affected_rows, std::uint64_t warnings, std::string info) {
  send(encode_ok(
      {.affected_rows = affected_rows, .status = status(), .warnings = clamp16(warnings), .info = std::move(info)}));
}

void Conversation::answer_error(const SqlError& error) { send(encode_error(error)); }

void Conversation::send_eof(std::uint16_t warnings) { send(encode_eof(status(), warnings)); }

void Conversation::answer_fields(const std::vector<FieldDefinition>& fields) {
  for (const auto& field : fields) send(encode_field_with_default(field));
  send_eof(0);
}

void Conversation::answer_prepared(std::uint32_t statement_id, std::uint16_t parameters,
                                   const std::vector<ColumnInfo>& columns) {
  send(encode_prepare_ok(
      {.statement_id = statement_id, .columns = static_cast<std::uint16_t>(columns.size()), .parameters = parameters}));
  const bool eof = !has(capability::kDeprecateEof);
  FieldDefinition parameter;
  parameter.name = "?";
  parameter.charset = kCharsetBinary;
  for (std::uint16_t i = 0; i < parameters; ++i) send(encode_field(parameter));
  if (parameters > 0 && eof) send_eof(0);
  for (const auto& column : columns) send(encode_field(field_of(column)));
  if (!columns.empty() && eof) send_eof(0);
}

void Conversation::send_columns(const std::vector<ColumnInfo>& columns) {
  scratch_.clear();
  write_lenenc(scratch_, columns.size());
  send(scratch_);
  for (const auto& column : columns) send(encode_field(field_of(column)));
}

void Conversation::begin_cursor(const std::vector<ColumnInfo>& columns) {
  send_columns(columns);
  cursor_status_ = status::kCursorExists;
  end_result(0);
  cursor_status_ = 0;
}

void Conversation::end_fetch(bool last_row_sent) {
  cursor_status_ = last_row_sent ? status::kLastRowSent : status::kCursorExists;
  end_result(0);
  cursor_status_ = 0;
}

void Conversation::begin_result(const std::vector<ColumnInfo>& columns) {
  send_columns(columns);
  if (!has(capability::kDeprecateEof)) send_eof(0);
}

void Conversation::add_row(const std::vector<ColumnInfo>& columns, const Chunk& chunk, std::size_t row,
                           RowFormat format) {
  scratch_.clear();
  if (format == RowFormat::kText) {
    encode_text_row(scratch_, columns, chunk, row);
  } else {
    encode_binary_row(scratch_, columns, chunk, row);
  }
  send(scratch_);
}

void Conversation::end_result(std::uint64_t warnings) {
  if (has(capability::kDeprecateEof)) {
    send(encode_ok({.status = status(), .warnings = clamp16(warnings)}, 0xfe));
  } else {
    send_eof(clamp16(warnings));
  }
}

}  // namespace millrace::sql::mysql
