// The whole front over loopback sockets, with an engine in memory.
#include "sql/mysql/server.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/event_loop.h"

namespace millrace::sql::mysql {
namespace {

using namespace std::string_literals;  // NOLINT: bytes with zeros in them

// Remembers what it was asked; "slow" queries wait until cancelled.
class MemoryEngine final : public QueryEngine {
 public:
  struct Seen {
    std::vector<std::string> queries;
    std::size_t statements = 0;
    bool cancelled = false;
    Event waiting, woken;
  };
  explicit MemoryEngine(Executor executor) : executor_(std::move(executor)) {}
  Seen& seen() { return seen_; }

  Task<Result<std::unique_ptr<EngineSession>>> open_session(SessionInfo) override {
    co_return std::make_unique<Session>(seen_, executor_);
  }

 private:
  class Session final : public EngineSession {
   public:
    Session(Seen& seen, Executor executor) : seen_(seen), executor_(std::move(executor)) {}
    Task<Result<void>> use_database(std::string database) override {
      if (database == "nope") co_return fail(Code::kNotFound, "Unknown database 'nope'");
      co_return Result<void>();
    }
    Task<Result<std::unique_ptr<ResultSet>>> query(std::string sql, CancelToken cancel) override {
      seen_.queries.push_back(sql);
      if (sql.find("\"slow\"") != std::string::npos) {
        seen_.waiting.set();
        const auto registration = cancel.on_cancel([this] { seen_.woken.set(); });
        co_await seen_.woken.wait();
        seen_.cancelled = true;
        co_return fail(Code::kCancelled, "interrupted");
      }
      if (sql.find("\"missing\"") != std::string::npos) {
        co_return fail(Code::kInvalid, "Catalog Error: Table with name missing does not exist!");
      }
      std::vector<TextRow> rows(sql.find("\"many\"") != std::string::npos ? 20'000 : 1,
                                TextRow{{"x", "y"}, {false, true}});
      co_return make_text_result({"a", "b"}, std::move(rows));
    }
    Task<Result<std::vector<ColumnInfo>>> describe(std::string) override {
      co_return std::vector<ColumnInfo>{{.name = "a"}, {.name = "b"}};
    }
    Task<Result<std::unique_ptr<ResultSet>>> run(dialect::EngineStatement, CancelToken) override {
      ++seen_.statements;
      co_return make_done_result(7, {"careful"});
    }

   private:
    Seen& seen_;
    Executor executor_;
  };

  Executor executor_;
  Seen seen_;
};

// A client that speaks in packets.
class Client {
 public:
  explicit Client(std::unique_ptr<net::Stream> stream) : stream_(std::move(stream)) {}

  Task<std::string> read() {
    while (true) {
      auto message = reader_.next();
      if (!message) co_return "broken: " + message.error().message();
      if (*message) co_return std::move(**message);
      char buffer[4096];
      auto n = co_await stream_->read_some(buffer);
      if (!n || *n == 0) co_return "closed";
      reader_.feed({buffer, *n});
    }
  }
  // All bytes until the server hangs up.
  Task<std::string> rest() {
    std::string out;
    char buffer[4096];
    while (true) {
      auto n = co_await stream_->read_some(buffer);
      if (!n || *n == 0) co_return out;
      out.append(buffer, *n);
    }
  }
  Task<void> send(std::string payload, std::uint8_t sequence = 0) {
    std::string bytes;
    append_packets(bytes, payload, sequence);  // moves `sequence` on
    co_await send_raw(std::move(bytes));
    reader_.expect_sequence(sequence);
  }
  Task<void> send_raw(std::string bytes) {
    SliceChain chain;
    chain.append(Slice::of(std::move(bytes)));
    (void)co_await stream_->write(chain);
  }
  Task<std::string> login(std::string user, std::string database = "", std::string plugin = kNativePassword) {
    reader_.expect_sequence(0);
    const std::string greeting = co_await read();
    EXPECT_EQ(greeting.substr(0, 1), "\x0a");
    std::string out;
    ByteWriter writer(out);
    writer.le(std::uint32_t{capability::kProtocol41 | capability::kSecureConnection | capability::kPluginAuth |
                            capability::kConnectWithDb | capability::kDeprecateEof | capability::kMultiStatements});
    writer.le(std::uint32_t{1 << 24});
    writer.u8(45);
    writer.bytes(std::string(23, '\0'));
    writer.bytes(user + '\0');
    writer.u8(0);
    writer.bytes(database + '\0' + plugin + '\0');
    co_await send(out, 1);
    co_return co_await read();
  }
  // All packets up to the one that ends the answer.
  Task<std::vector<std::string>> query(std::string sql) {
    co_await send('\x03' + std::move(sql));
    std::vector<std::string> packets;
    packets.push_back(co_await read());
    if (packets[0][0] == '\x00' || packets[0][0] == '\xff' || packets[0][0] == 'c' || packets[0][0] == 'b')
      co_return packets;
    do packets.push_back(co_await read());
    while (packets.back()[0] != '\xfe' && packets.back()[0] != '\xff' && !packets.back().starts_with("closed") &&
           !packets.back().starts_with("broken"));
    co_return packets;
  }
  void close() { stream_->close(); }

 private:
  std::unique_ptr<net::Stream> stream_;
  PacketReader reader_{1 << 24};
};

struct Fixture {
  EventLoop loop;
  Metrics metrics;
  std::unique_ptr<Random> random = make_seeded_random(1);
  MemoryEngine engine{loop.executor()};
  MySqlServer server{
      loop.executor(), loop.clock(), *random, metrics, std::move(*net::listen(loop.executor(), {"127.0.0.1", 0})),
      engine};

  Task<Client> connect() {
    auto stream = co_await net::connect(loop.executor(), server.bound());
    co_return Client(std::move(*stream));
  }
  void run(Task<void> (*body)(Fixture&)) {
    auto whole = [](Fixture& f, Task<void> (*b)(Fixture&)) -> Task<void> {
      f.server.start();
      co_await b(f);
      co_await f.server.stop();
    };
    loop.run_until_done(whole(*this, body));
  }
};

std::uint16_t error_code(const std::string& packet) {
  ByteReader reader(packet);
  EXPECT_EQ(reader.u8(), 0xff) << packet;
  return reader.le<std::uint16_t>();
}

TEST(MySqlServer, serves_a_query) {
  Fixture fixture;
  fixture.run([](Fixture& f) -> Task<void> {
    Client client = co_await f.connect();
    EXPECT_EQ((co_await client.login("root", "shop"))[0], '\x00');
    auto packets = co_await client.query("select a, b from t");
    packets.resize(5);
    EXPECT_EQ(packets[4][0], '\xfe');  // count, two columns, a row, the end
    EXPECT_EQ(packets[3], "\x01x\xfb");
    EXPECT_EQ(f.engine.seen().queries.back(), "SELECT \"a\", \"b\" FROM \"t\"");
  });
}

TEST(MySqlServer, switches_a_client_with_another_plugin_to_ours) {
  Fixture fixture;
  fixture.run([](Fixture& f) -> Task<void> {
    Client client = co_await f.connect();
    const std::string answer = co_await client.login("root", "", "sha256_password");
    EXPECT_TRUE(
        answer.starts_with("\xfe"
                           "caching_sha2_password\0"s));
    co_await client.send("", 3);
    EXPECT_EQ((co_await client.read())[0], '\x00');
  });
}

TEST(MySqlServer, refuses_strangers_and_unknown_databases) {
  Fixture fixture;
  fixture.run([](Fixture& f) -> Task<void> {
    Client stranger = co_await f.connect();
    EXPECT_EQ(error_code(co_await stranger.login("ann")), 1045);
    EXPECT_EQ(co_await stranger.read(), "closed");
    Client lost = co_await f.connect();
    EXPECT_EQ(error_code(co_await lost.login("root", "nope")), 1049);
  });
}

TEST(MySqlServer, errors_carry_mysql_codes) {
  Fixture fixture;
  fixture.run([](Fixture& f) -> Task<void> {
    Client client = co_await f.connect();
    co_await client.login("root", "shop");
    EXPECT_EQ(error_code((co_await client.query("select a from missing"))[0]), 1146);
    EXPECT_EQ(error_code((co_await client.query("selec"))[0]), 1064);
    EXPECT_EQ(error_code((co_await client.query("  ;"))[0]), 1065);
    EXPECT_EQ(error_code((co_await client.query("select @@nope"))[0]), 1193);
    EXPECT_EQ(error_code((co_await client.query("kill 99999"))[0]), 1094);
    co_await client.send("\x7f");
    EXPECT_EQ(error_code(co_await client.read()), 1047);
    Client nowhere = co_await f.connect();
    co_await nowhere.login("root");
    EXPECT_EQ(error_code((co_await nowhere.query("select a from missing"))[0]), 1046);
    EXPECT_EQ(error_code((co_await nowhere.query("drop table t"))[0]), 1046);
  });
}

TEST(MySqlServer, several_statements_give_several_results) {
  Fixture fixture;
  fixture.run([](Fixture& f) -> Task<void> {
    Client client = co_await f.connect();
    co_await client.login("root", "shop");
    auto first = co_await client.query("insert into t values (1); select a from t");
    EXPECT_EQ(first[0], "\x00\x07\x00\x0a\x00\x01\x00"s);  // 7 rows, autocommit + more results, one warning
    EXPECT_EQ(co_await client.read(), "\x02");
    for (int i = 0; i < 3; ++i) co_await client.read();
    EXPECT_EQ((co_await client.read())[0], '\xfe');
    EXPECT_EQ(f.engine.seen().statements, 1u);
  });
}

TEST(MySqlServer, statements_are_prepared_and_executed) {
  Fixture fixture;
  fixture.run([](Fixture& f) -> Task<void> {
    Client client = co_await f.connect();
    co_await client.login("root", "shop");
    co_await client.send("\x16select a, b from t where c = ? and d = ?");
    EXPECT_EQ(co_await client.read(), "\x00\x01\x00\x00\x00\x02\x00\x02\x00\x00\x00\x00"s);
    for (int i = 0; i < 4; ++i) co_await client.read();
    co_await client.send("\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x01\x08\x00\xfd\x00\x05\0\0\0\0\0\0\0\x04it's"s);
    EXPECT_EQ(co_await client.read(), "\x02");
    co_await client.read();
    co_await client.read();
    EXPECT_EQ(co_await client.read(), "\x00\x08\x01x"s);  // the second column is NULL
    EXPECT_EQ((co_await client.read())[0], '\xfe');
    EXPECT_EQ(f.engine.seen().queries.back(), "SELECT \"a\", \"b\" FROM \"t\" WHERE (\"c\" = 5) AND (\"d\" = 'it''s')");
    co_await client.send("\x19\x01\x00\x00\x00"s);  // close, without an answer
    co_await client.send("\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00"s);
    EXPECT_EQ(error_code(co_await client.read()), 1243);
  });
}

// How many rows come before the packet that ends a fetch; its status flags.
Task<std::pair<int, std::uint16_t>> fetched(Client& client, std::string fetch) {
  co_await client.send(std::move(fetch));
  std::pair<int, std::uint16_t> out;
  std::string packet = co_await client.read();
  for (; packet.starts_with('\0'); packet = co_await client.read()) ++out.first;
  ByteReader reader(packet);
  EXPECT_EQ(reader.u8(), 0xfe) << packet;
  reader.le<std::uint16_t>();  // nothing affected, no id
  out.second = reader.le<std::uint16_t>();
  co_return out;
}

TEST(MySqlServer, rows_are_fetched_in_parts_and_between_other_statements) {
  Fixture fixture;
  fixture.run([](Fixture& f) -> Task<void> {
    Client client = co_await f.connect();
    co_await client.login("root", "shop");
    co_await client.send("\x16select a, b from many");
    for (int i = 0; i < 3; ++i) co_await client.read();  // the statement and its two columns
    for (const bool another : {false, true}) {
      co_await client.send("\x17\x01\x00\x00\x00\x01\x01\x00\x00\x00"s);
      for (int i = 0; i < 3; ++i) co_await client.read();
      EXPECT_EQ((co_await client.read()).substr(0, 5), "\xfe\0\0\x42\0"s);  // a cursor, and no row
      const auto first = co_await fetched(client, "\x1c\x01\x00\x00\x00\x03\x00\x00\x00"s);
      EXPECT_EQ(first, std::pair(3, std::uint16_t{0x42}));
      if (another) {
        EXPECT_EQ((co_await client.query("select a, b from t")).size(), 5u);
      }
      const auto rest = co_await fetched(client, "\x1c\x01\x00\x00\x00\xff\xff\x00\x00"s);
      EXPECT_EQ(rest, std::pair(19'997, std::uint16_t{0x82}));  // the last row was sent
      const auto over = co_await fetched(client, "\x1c\x01\x00\x00\x00\x01\x00\x00\x00"s);
      EXPECT_EQ(over, std::pair(0, std::uint16_t{0x82}));
    }
    co_await client.send("\x1a\x01\x00\x00\x00"s);
    EXPECT_EQ((co_await client.read())[0], '\x00');
    for (const std::string& fetch : {"\x1c\x01\x00\x00\x00\x01\x00\x00\x00"s, "\x1c\x09\x00\x00"s}) {
      std::string copy = fetch;
      co_await client.send(std::move(copy));
      EXPECT_EQ(error_code(co_await client.read()), 1421);
    }
  });
}

TEST(MySqlServer, a_large_result_arrives_whole) {
  Fixture fixture;
  fixture.run([](Fixture& f) -> Task<void> {
    Client client = co_await f.connect();
    co_await client.login("root", "shop");
    EXPECT_EQ((co_await client.query("select a from many")).size(), 20'000u + 4);
  });
}

TEST(MySqlServer, a_client_that_leaves_has_its_query_cancelled) {
  Fixture fixture;
  fixture.run([](Fixture& f) -> Task<void> {
    Client client = co_await f.connect();
    co_await client.login("root", "shop");
    co_await client.send("\x03select a from slow");
    co_await f.engine.seen().waiting.wait();
    client.close();
    co_await f.engine.seen().woken.wait();
    while (!f.engine.seen().cancelled) co_await yield_now();
  });
}

TEST(MySqlServer, kill_query_interrupts_another_session) {
  Fixture fixture;
  fixture.run([](Fixture& f) -> Task<void> {
    Client victim = co_await f.connect();
    co_await victim.login("root", "shop");
    co_await victim.send("\x03select a from slow");
    co_await f.engine.seen().waiting.wait();
    Client killer = co_await f.connect();
    co_await killer.login("root", "shop");
    EXPECT_EQ((co_await killer.query("kill query 1"))[0][0], '\x00');
    EXPECT_EQ(error_code(co_await victim.read()), 1317);
    EXPECT_EQ((co_await victim.query("select a from t")).size(), 5u);  // the connection lives
  });
}

TEST(MySqlServer, a_statement_over_its_time_is_interrupted) {
  Fixture fixture;
  fixture.run([](Fixture& f) -> Task<void> {
    Client client = co_await f.connect();
    co_await client.login("root", "shop");
    co_await client.query("set max_execution_time = 5");
    EXPECT_EQ(error_code((co_await client.query("select a from slow"))[0]), 3024);
  });
}

TEST(MySqlServer, stopping_ends_running_statements_with_an_error) {
  Fixture fixture;
  auto body = [](Fixture& f) -> Task<void> {
    f.server.start();
    Client client = co_await f.connect();
    co_await client.login("root", "shop");
    co_await client.send("\x03select a from slow");
    co_await f.engine.seen().waiting.wait();
    co_await f.server.stop();
    EXPECT_EQ(error_code(co_await client.read()), 1053);
  };
  fixture.loop.run_until_done(body(fixture));
}

std::vector<std::string> garbage() {
  return {"GET / HTTP/1.1\r\n\r\n", "\xff\xff\xff\x01"s, "\x01\x00\x00\x01x"s, std::string(100, '\0')};
}

TEST(MySqlServer, garbage_costs_only_its_own_connection) {
  Fixture fixture;
  fixture.run([](Fixture& f) -> Task<void> {
    Client good = co_await f.connect();
    co_await good.login("root", "shop");
    const std::vector<std::string> all = garbage();
    for (const std::string& bytes : all) {
      Client bad = co_await f.connect();
      co_await bad.read();
      co_await bad.send_raw(bytes);
      const std::string answer = co_await bad.rest();
      EXPECT_GT(answer.size(), 13u) << answer;
      EXPECT_EQ(answer.substr(4, 1), "\xff") << answer;  // an ERR, then the end
    }
    EXPECT_EQ((co_await good.query("select a from t")).size(), 5u);
  });
}

TEST(MySqlServer, session_state_is_kept_and_reset) {
  Fixture fixture;
  fixture.run([](Fixture& f) -> Task<void> {
    Client client = co_await f.connect();
    co_await client.login("root");
    co_await client.query("use shop");
    co_await client.query("set @a = 5, sql_select_limit = 10");
    co_await client.query("select @a, database()");
    EXPECT_EQ(f.engine.seen().queries.back(), "SELECT 'x' AS \"@a\", 'shop' AS \"database()\"");
    co_await client.send("\x1f");
    EXPECT_EQ((co_await client.read())[0], '\x00');
    co_await client.query("select @a");
    EXPECT_EQ(f.engine.seen().queries.back(), "SELECT NULL AS \"@a\"");
  });
}

}  // namespace
}  // namespace millrace::sql::mysql
