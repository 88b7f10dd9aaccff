#include "sql/mysql/connection.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "sql/mysql/errors.h"
#include "sql/mysql/rows.h"
#include "sql/mysql/server.h"

namespace millrace::sql::mysql {
namespace {

constexpr Duration kLoginTimeout = 10s;     // connect_timeout
constexpr Duration kWriteTimeout = 60s;     // net_write_timeout
constexpr Duration kIdleTimeout = 28'800s;  // wait_timeout
constexpr std::size_t kFlushBytes = 256u << 10;
// Enough for any one packet; the reader pauses beyond.
constexpr std::size_t kBufferedBytesMax = kPacketBytesMax + (64u << 10);
// Of a cursor that is put aside for another statement: more cannot be kept in memory.
constexpr std::size_t kCursorRowsMax = 1'000'000;
constexpr std::uint8_t kCursorTypeReadOnly = 1;  // a flag of COM_STMT_EXECUTE
constexpr std::size_t kReadBytes = 64u << 10;

bool uses_engine(Command command) {
  return command == Command::kQuery || command == Command::kStmtPrepare || command == Command::kStmtExecute ||
         command == Command::kInitDb || command == Command::kFieldList;
}

// A timer that closes over something that lives as long as it does.
class Alarm {
 public:
  Alarm(Clock& clock, Duration after, std::move_only_function<void()> action)
      : clock_(clock), id_(after > Duration::zero() ? clock.call_at(clock.now() + after, std::move(action)) : 0) {}
  ~Alarm() {
    if (id_ != 0) clock_.cancel(id_);
  }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

 private:
  Clock& clock_;
  Clock::TimerId id_;
};

}  // namespace

Connection::Connection(ConnectionPorts ports, std::unique_ptr<net::Stream> stream)
    : ports_(std::move(ports)),
      stream_(std::move(stream)),
      conversation_(ports_.id, ports_.nonce, stream_->peer().host),
      session_(ports_.id, ports_.connections),
      since_(ports_.clock.now()) {}

Task<void> Connection::refuse(std::uint16_t code, std::string message) {
  conversation_.output().clear();  // the error takes the greeting's place
  std::uint8_t sequence = 0;
  append_packets(conversation_.output(), encode_error(sql_error(code, std::move(message))), sequence);
  co_await flush();
  stream_->close();
}

Task<void> Connection::run() {
  TaskScope reading(ports_.executor);
  reading.spawn(read_loop());
  co_await answer_requests();
  co_await flush();
  gone_ = true;
  stream_->close();
  drained_.pulse();
  co_await reading.stop();
}

Task<void> Connection::read_loop() {
  std::vector<char> buffer(kReadBytes);
  while (!gone_) {
    if (conversation_.buffered() > kBufferedBytesMax) {
      co_await drained_.wait();
      continue;
    }
    auto n = co_await stream_->read_some(buffer);
    if (!n || *n == 0) break;
    conversation_.feed({buffer.data(), *n});
    arrived_.pulse();
  }
  leave();
}

void Connection::leave() {
  gone_ = true;
  cancel_.cancel();
  arrived_.pulse();
}

void Connection::kill(Why why) {
  shutting_down_ = why == Why::kShutdown;
  cancel_.cancel();
  if (why == Why::kKillQuery) return;
  if (busy_ && why == Why::kShutdown) {
    gone_ = true;  // the statement's error still goes out
  } else {
    stream_->close();
  }
}

Task<void> Connection::answer_requests() {
  if (!co_await flush()) co_return;
  const Alarm login_alarm(ports_.clock, kLoginTimeout, [this] {
    if (!conversation_.logged_in()) stream_->close();
  });
  while (!gone_) {
    auto request = conversation_.next_request();
    if (!request) {
      const bool long_one = request.error().code() == Code::kExhausted;
      fail_with(sql_error(long_one ? 1153 : 1043, request.error().message()));
      co_return;
    }
    drained_.pulse();
    if (!*request) {
      if (!conversation_.output().empty() && !co_await flush()) co_return;  // an auth switch
      const auto deadline = ports_.clock.now() + kIdleTimeout;
      const bool came = co_await arrived_.wait_until(ports_.clock, deadline);
      if (!came) co_return;
      continue;
    }
    busy_ = true;
    since_ = ports_.clock.now();
    Request one = std::move(**request);
    const Next next = co_await answer(std::move(one));
    busy_ = false;
    running_.clear();
    since_ = ports_.clock.now();
    if (next == Next::kHangUp || !co_await flush()) co_return;
  }
}

Task<Connection::Next> Connection::answer(Request request) {
  if (auto* login_request = std::get_if<LoginRequest>(&request)) co_return co_await login(std::move(*login_request));
  co_return co_await command(std::get<CommandRequest>(std::move(request)));
}

Task<Connection::Next> Connection::login(LoginRequest request) {
  if (auto allowed = check_login(request.login); !allowed) {
    ports_.metrics.refused_total.Increment();
    fail_with(sql_error(1045, allowed.error().message()));
    co_return Next::kHangUp;
  }
  cursors_.clear();
  user_ = request.login.user;
  const std::string database = request.database;
  auto opened = co_await session_.open(ports_.engine, user_, "localhost", database);
  if (!opened) {
    fail_with(opened.error());
    co_return Next::kHangUp;
  }
  conversation_.accept_login();
  co_return Next::kGoOn;
}

Task<Connection::Next> Connection::command(CommandRequest request) {
  if (!cursors_.empty()) {
    const bool of_statement = request.command == Command::kStmtClose || request.command == Command::kStmtReset ||
                              request.command == Command::kStmtExecute;
    if (const auto id = decode_statement_id(request.body); id && of_statement) cursors_.erase(*id);
    if (uses_engine(request.command)) co_await settle_cursors();
  }
  switch (request.command) {
    case Command::kQuit: co_return Next::kHangUp;
    case Command::kPing: conversation_.answer_ok(0, 0); break;
    case Command::kQuery: co_await query(std::move(request.body)); break;
    case Command::kStmtPrepare: co_await prepare(std::move(request.body)); break;
    case Command::kStmtExecute: co_await execute(std::move(request.body)); break;
    case Command::kStmtSendLongData: send_long_data(request.body); break;
    case Command::kStmtReset: reset_statement(request.body); break;
    case Command::kStmtClose:
      if (const auto id = decode_statement_id(request.body)) session_.close_statement(*id);
      break;  // has no answer
    case Command::kFieldList: co_await field_list(std::move(request.body)); break;
    case Command::kInitDb: {
      if (auto used = co_await session_.use_database(std::move(request.body)); used) {
        conversation_.answer_ok(0, 0);
      } else {
        fail_with(used.error());
      }
      break;
    }
    case Command::kResetConnection: {
      cursors_.clear();
      const std::string database = session_.database();
      auto opened = co_await session_.open(ports_.engine, user_, "localhost", database);
      if (!opened) {
        fail_with(opened.error());
        break;
      }
      conversation_.set_in_transaction(false);
      conversation_.set_autocommit(true);
      conversation_.answer_ok(0, 0);
      break;
    }
    case Command::kSetOption:
      conversation_.set_multi_statements(!request.body.empty() && request.body[0] == 0);
      if (conversation_.has(capability::kDeprecateEof)) {
        conversation_.answer_ok(0, 0);
      } else {
        conversation_.end_result(0);
      }
      break;
    case Command::kStatistics:
      conversation_.answer_text(fmt::format("Threads: {}  Questions: {:.0f}", ports_.connections.processes().size(),
                                            ports_.metrics.statements_total.Value()));
      break;
    case Command::kProcessKill: {
      ByteReader reader(request.body);
      const auto id = reader.le<std::uint32_t>();
      if (ports_.connections.kill(id, false)) {
        conversation_.answer_ok(0, 0);
      } else {
        fail_with(sql_error(1094, fmt::format("Unknown thread id: {}", id)));
      }
      break;
    }
    case Command::kStmtFetch: co_await fetch(std::move(request.body)); break;
    default:
      fail_with(sql_error(1047, fmt::format("Unknown command 0x{:02x}", static_cast<unsigned>(request.command))));
  }
  co_return Next::kGoOn;
}

Task<void> Connection::query(std::string text) {
  std::vector<std::string> statements;
  auto split = dialect::split_statements(text);
  if (!split) {
    fail_with(split.error());
    co_return;
  }
  if (split->empty()) {
    fail_with(sql_error(1065, "Query was empty"));
    co_return;
  }
  if (split->size() > 1 && !conversation_.has(capability::kMultiStatements)) {
    fail_with(sql_error(1064, fmt::format("You have an error in your SQL syntax; several statements in one need the "
                                          "client's multi-statements option, near '{}' at line 1",
                                          (*split)[1].substr(0, 80))));
    co_return;
  }
  statements = std::move(*split);
  const double errors_before = ports_.metrics.errors_total.Value();
  for (std::size_t i = 0; i < statements.size() && !gone_; ++i) {
    conversation_.set_more_results(i + 1 < statements.size());
    std::string one = std::move(statements[i]);
    co_await statement(std::move(one), RowFormat::kText, std::nullopt);
    if (ports_.metrics.errors_total.Value() != errors_before) break;  // the rest is not run
  }
  conversation_.set_more_results(false);
}

Task<void> Connection::statement(std::string text, RowFormat format, std::optional<std::uint32_t> cursor_of) {
  running_ = text.substr(0, 1024);
  cancel_ = CancelToken();
  if (gone_) cancel_.cancel();
  timed_out_ = false;
  ports_.metrics.statements_total.Increment();
  const SteadyTime began = ports_.clock.now();
  const Alarm limit(ports_.clock, session_.time_limit(), [this] {
    timed_out_ = true;
    cancel_.cancel();
  });
  auto result = co_await session_.run(std::move(text), cancel_);
  conversation_.set_in_transaction(session_.in_transaction());
  conversation_.set_autocommit(session_.autocommit());
  if (!result) {
    fail_with(result.error());
  } else {
    std::uint64_t rows = 0;
    const std::vector<std::string> warnings = (*result)->warnings();
    const bool has_rows = !(*result)->columns().empty();
    Result<void> sent;
    if (cursor_of && has_rows) {
      sent = co_await open_cursor(*cursor_of, std::move(*result));
    } else {
      sent = co_await send_result(**result, format, rows);
    }
    if (!sent) {
      fail_with(sent.error());
    } else {
      const auto changed = has_rows ? -1 : static_cast<std::int64_t>((*result)->affected_rows());  // no cursor then
      session_.finished(rows, changed, warnings);
    }
    ports_.metrics.rows_total.Increment(static_cast<double>(rows));
  }
  const std::chrono::duration<double> seconds = ports_.clock.now() - began;
  ports_.metrics.statement_seconds.Observe(seconds.count());
}

Task<Result<void>> Connection::send_result(ResultSet& result, RowFormat format, std::uint64_t& rows) {
  const auto& columns = result.columns();
  if (columns.empty()) {
    conversation_.answer_ok(result.affected_rows(), result.warnings().size());
    co_return Result<void>();
  }
  // The first chunk comes before the header: most errors of a query show there, and an error is clearer alone.
  CO_TRY(auto chunk, co_await result.next());
  conversation_.begin_result(columns);
  while (chunk) {
    for (std::size_t row = 0; row < chunk->rows(); ++row) {
      conversation_.add_row(columns, *chunk, row, format);
      ++rows;
      if (conversation_.output().size() >= kFlushBytes && !co_await flush()) {
        co_return fail(Code::kCancelled, "the client left");
      }
    }
    CO_TRY(chunk, co_await result.next());
  }
  conversation_.end_result(result.warnings().size());
  co_return Result<void>();
}

Task<void> Connection::prepare(std::string text) {
  running_ = text.substr(0, 1024);
  auto id = co_await session_.prepare(std::move(text));
  if (!id) {
    fail_with(id.error());
    co_return;
  }
  const PreparedStatement* prepared = session_.statement(*id);
  conversation_.answer_prepared(*id, static_cast<std::uint16_t>(prepared->parameters), prepared->columns);
}

Task<void> Connection::execute(std::string body) {
  const auto id = decode_statement_id(body);
  PreparedStatement* prepared = id ? session_.statement(*id) : nullptr;
  if (!prepared) {
    fail_with(sql_error(1243, fmt::format("Unknown prepared statement handler ({}) given to EXECUTE", id.value_or(0))));
    co_return;
  }
  auto execute = decode_execute(body, prepared->parameters, prepared->types, prepared->long_data);
  prepared->long_data.assign(prepared->parameters, std::nullopt);
  if (!execute) {
    fail_with(sql_error(1210, execute.error().message()));
    co_return;
  }
  auto bound = ClientSession::bind(*prepared, execute->parameters);
  if (!bound) {
    fail_with(bound.error());
    co_return;
  }
  const bool by_cursor = (execute->flags & kCursorTypeReadOnly) != 0;
  const auto cursor_of = by_cursor ? std::optional(*id) : std::nullopt;
  co_await statement(std::move(*bound), RowFormat::kBinary, cursor_of);
}

Task<Result<void>> Connection::open_cursor(std::uint32_t id, std::unique_ptr<ResultSet> result) {
  Cursor cursor;
  cursor.columns = result->columns();
  cursor.cancel = cancel_;
  CO_TRY(auto chunk, co_await result->next());  // most errors show there
  if (chunk) {
    cursor.result = std::move(result);
    cursor.chunks.push_back(std::move(chunk));
  }
  conversation_.begin_cursor(cursor.columns);
  cursors_.insert_or_assign(id, std::move(cursor));
  co_return Result<void>();
}

// The engine has one result at a time: what cursors have not read yet is read now.
Task<void> Connection::settle_cursors() {
  for (auto& [id, cursor] : cursors_) {
    std::size_t rows = 0;
    while (cursor.result && !cursor.error) {
      auto chunk = co_await cursor.result->next();
      if (!chunk) {
        cursor.error = chunk.error();
      } else if (!*chunk) {
        cursor.result.reset();
      } else if ((rows += (*chunk)->rows()) > kCursorRowsMax) {
        cursor.error =
            Error(Code::kExhausted, fmt::format("another statement ran while a cursor had over {} rows left: "
                                                "use a connection for each",
                                                kCursorRowsMax));
      } else {
        cursor.chunks.push_back(std::move(*chunk));
      }
    }
    if (cursor.error) cursor.chunks.clear();
    cursor.result.reset();
  }
}

Task<void> Connection::fetch(std::string body) {
  ByteReader reader(body);
  const auto id = reader.le<std::uint32_t>();
  const auto count = reader.le<std::uint32_t>();
  const auto found = cursors_.find(id);
  if (!reader.ok() || found == cursors_.end()) {
    fail_with(sql_error(1421, fmt::format("The statement ({}) has no open cursor.", id)));
    co_return;
  }
  cancel_ = found->second.cancel;
  timed_out_ = false;
  const Alarm limit(ports_.clock, session_.time_limit(), [this] {
    timed_out_ = true;
    cancel_.cancel();
  });
  auto sent = co_await fetch_rows(found->second, count);
  if (sent) co_return;
  fail_with(sent.error());
  cursors_.erase(found);
}

Task<Result<void>> Connection::fetch_rows(Cursor& cursor, std::uint32_t count) {
  if (cursor.error) co_return fail(std::move(*cursor.error));
  bool ended = false;
  for (std::uint32_t sent = 0; sent < count;) {
    if (cursor.chunks.empty() && cursor.result) {
      CO_TRY(auto chunk, co_await cursor.result->next());
      if (chunk) cursor.chunks.push_back(std::move(chunk));
    }
    if (cursor.chunks.empty()) {
      cursor.result.reset();
      ended = true;
      break;
    }
    const Chunk& chunk = *cursor.chunks.front();
    for (; cursor.row < chunk.rows() && sent < count; ++cursor.row, ++sent) {
      conversation_.add_row(cursor.columns, chunk, cursor.row, RowFormat::kBinary);
      if (conversation_.output().size() >= kFlushBytes && !co_await flush()) {
        co_return fail(Code::kCancelled, "the client left");
      }
    }
    if (cursor.row == chunk.rows()) {
      cursor.chunks.pop_front();
      cursor.row = 0;
    }
  }
  conversation_.end_fetch(ended);
  co_return Result<void>();
}

void Connection::send_long_data(std::string_view body) {  // has no answer, not even for errors
  ByteReader reader(body);
  const auto id = reader.le<std::uint32_t>();
  const auto parameter = reader.le<std::uint16_t>();
  PreparedStatement* prepared = reader.ok() ? session_.statement(id) : nullptr;
  if (!prepared || parameter >= prepared->long_data.size()) return;
  auto& data = prepared->long_data[parameter];
  if (!data) data.emplace();
  if (data->size() + reader.remaining() <= kMessageBytesMax) data->append(reader.rest());
}

void Connection::reset_statement(std::string_view body) {
  const auto id = decode_statement_id(body);
  PreparedStatement* prepared = id ? session_.statement(*id) : nullptr;
  if (!prepared) return fail_with(sql_error(1243, "Unknown prepared statement handler given to RESET"));
  prepared->long_data.assign(prepared->parameters, std::nullopt);
  conversation_.answer_ok(0, 0);
}

Task<void> Connection::field_list(std::string body) {
  std::string table = body.substr(0, body.find('\0'));
  auto columns = co_await session_.table_columns(std::move(table));
  if (!columns) {
    fail_with(columns.error());
    co_return;
  }
  std::vector<FieldDefinition> fields;
  for (const auto& column : *columns) fields.push_back(field_of(column));
  conversation_.answer_fields(fields);
}

void Connection::fail_with(const Error& error) {
  const bool cancelled = error.code() == Code::kCancelled || cancel_.cancelled();
  if (cancelled && shutting_down_) return fail_with(sql_error(1053, "Server shutdown in progress"));
  if (cancelled && timed_out_) {
    return fail_with(sql_error(3024, "Query execution was interrupted, maximum statement execution time exceeded"));
  }
  fail_with(to_sql_error(error, {.database = session_.database()}));
}

void Connection::fail_with(const SqlError& error) {
  ports_.metrics.errors_total.Increment();
  session_.failed(error);
  conversation_.set_more_results(false);
  conversation_.answer_error(error);
}

Task<bool> Connection::flush() {
  if (conversation_.output().empty()) co_return true;
  SliceChain bytes;
  bytes.append(Slice::of(std::exchange(conversation_.output(), {})));
  const Alarm stuck(ports_.clock, kWriteTimeout, [this] { stream_->close(); });
  auto written = co_await stream_->write(bytes);
  co_return written.has_value();
}

dialect::Process Connection::process() const {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(ports_.clock.now() - since_).count();
  return {.id = ports_.id,
          .user = user_.empty() ? "unauthenticated user" : user_,
          .host = stream_->peer().to_string(),
          .database = session_.database(),
          .command = busy_ ? "Query" : "Sleep",
          .state = busy_ ? "executing" : "",
          .info = running_,
          .seconds = seconds};
}

}  // namespace millrace::sql::mysql
