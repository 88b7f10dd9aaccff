// One client's connection: reads always, so that a client that leaves is noticed while its query runs, and
// answers one request at a time. The driver of Conversation (packets) and ClientSession (statements).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/task.h"
#include "net/tcp.h"
#include "sql/mysql/client_session.h"
#include "sql/mysql/conversation.h"
#include "sql/session.h"

namespace millrace::sql::mysql {

struct FrontMetrics;

struct ConnectionPorts {
  std::uint32_t id;
  Executor executor;
  Clock& clock;
  QueryEngine& engine;
  ConnectionTable& connections;
  FrontMetrics& metrics;
  std::string nonce;
};

class Connection {
 public:
  enum class Why { kKillQuery, kKill, kShutdown };

  Connection(ConnectionPorts ports, std::unique_ptr<net::Stream> stream);

  // Serves until the client leaves or is sent away.
  Task<void> run();
  // Answers the greeting with an error instead of serving.
  Task<void> refuse(std::uint16_t code, std::string message);
  // Cancels the running statement; unless kKillQuery, closes the connection too.
  void kill(Why why);
  dialect::Process process() const;

 private:
  enum class Next { kGoOn, kHangUp };
  // A result that the client fetches in parts. Its rows stay in the engine until another command needs the
  // session: then the rest is read into `chunks`.
  struct Cursor {
    std::vector<ColumnInfo> columns;
    std::unique_ptr<ResultSet> result;  // null: read to its end
    CancelToken cancel;
    std::deque<std::unique_ptr<Chunk>> chunks;
    std::size_t row = 0;  // the next one of the first chunk
    std::optional<Error> error;
  };

  Task<void> read_loop();
  Task<void> answer_requests();
  Task<Next> answer(Request request);
  Task<Next> login(LoginRequest request);
  Task<Next> command(CommandRequest request);
  Task<void> query(std::string text);
  // With `cursor_of`, rows are kept for COM_STMT_FETCH of that statement.
  Task<void> statement(std::string text, RowFormat format, std::optional<std::uint32_t> cursor_of);
  Task<Result<void>> open_cursor(std::uint32_t id, std::unique_ptr<ResultSet> result);
  Task<void> settle_cursors();
  Task<void> fetch(std::string body);
  Task<Result<void>> fetch_rows(Cursor& cursor, std::uint32_t count);
  Task<Result<void>> send_result(ResultSet& result, RowFormat format, std::uint64_t& rows);
  Task<void> prepare(std::string text);
  Task<void> execute(std::string body);
  void send_long_data(std::string_view body);
  void reset_statement(std::string_view body);
  Task<void> field_list(std::string body);
  void fail_with(const Error& error);
  void fail_with(const SqlError& error);
  // False when the client cannot be reached any more.
  Task<bool> flush();
  void leave();

  ConnectionPorts ports_;
  std::unique_ptr<net::Stream> stream_;
  Conversation conversation_;
  ClientSession session_;
  Event arrived_;  // bytes, or the end
  Event drained_;  // the reader may go on
  CancelToken cancel_;
  std::map<std::uint32_t, Cursor> cursors_;  // by statement
  std::string user_, running_;               // for the process list
  SteadyTime since_;
  bool gone_ = false, busy_ = false, timed_out_ = false, shutting_down_ = false;
};

}  // namespace millrace::sql::mysql
