#include "sql/ingest/keeper.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/event_loop.h"
#include "sql/ingest/memory_log.h"

namespace millrace::sql::ingest {
namespace {

// One node: a keeper with its sessions on a log that outlives it.
struct Node {
  Node(EventLoop& loop, MemoryLog& log, SqlOptions options)
      : clock(loop.clock()),
        random(make_seeded_random(7)),
        keeper(loop.executor(), loop.clock(), *random, metrics, log, nullptr, options),
        sessions([this] { return keeper.store().connect(); }, keeper, 2, metrics) {}

  Task<void> start() {
    auto started = co_await keeper.start();
    EXPECT_TRUE(started) << started.error().to_string();
    SessionInfo info;
    auto opened = co_await sessions.open_session(info);
    session = std::move(*opened);
  }
  Task<void> stop() {
    session.reset();
    co_await keeper.stop();
  }
  Task<std::string> run(dialect::EngineStatement statement) {
    auto result = co_await session->run(std::move(statement), CancelToken());
    if (!result) co_return result.error().message();
    co_return co_await text_of(std::move(*result));
  }
  Task<std::string> query(std::string sql) {
    auto result = co_await session->query(std::move(sql), CancelToken());
    if (!result) co_return result.error().message();
    co_return co_await text_of(std::move(*result));
  }
  static Task<std::string> text_of(std::unique_ptr<ResultSet> result) {
    std::string text;
    for (;;) {
      auto chunk = co_await result->next();
      if (!chunk) co_return chunk.error().message();
      if (!*chunk) break;
      for (std::size_t row = 0; row < (*chunk)->rows(); ++row) {
        for (std::size_t i = 0; i < result->columns().size(); ++i) {
          text += (i ? "," : "") + engine::cell_text(result->columns()[i], (*chunk)->cell(row, i));
        }
        text += ";";
      }
    }
    co_return text;
  }
  // Until a query answers `wanted`, at most ten seconds.
  Task<std::string> until(std::string sql, std::string wanted) {
    std::string answer;
    for (int i = 0; i < 500; ++i) {
      answer = co_await query(sql);
      if (answer == wanted) break;
      co_await sleep_for(clock, 20ms);
    }
    co_return answer;
  }
  LoadStatus load(const std::string& job) {
    SqlStatus status;
    keeper.fill(status);
    for (auto& each : status.loads) {
      if (each.job == job) return each;
    }
    return {};
  }
  Task<LoadState> until_state(std::string job, LoadState wanted) {
    for (int i = 0; i < 500 && load(job).state != wanted; ++i) co_await sleep_for(clock, 20ms);
    co_return load(job).state;
  }

  Clock& clock;
  Metrics metrics;
  std::unique_ptr<Random> random;
  Keeper keeper;
  engine::Sessions sessions;
  std::unique_ptr<EngineSession> session;
};

dialect::CreateTable visits_table() {
  dialect::CreateTable statement;
  statement.table = {"shop", "visit"};
  statement.kind = dialect::TableKind::kPrimaryKey;
  statement.columns = {{"id", "BIGINT", "bigint", true}, {"note", "VARCHAR", "varchar(10)"}};
  statement.primary_key = {"id"};
  return statement;
}
dialect::CreateRoutineLoad visits_load() {
  dialect::CreateRoutineLoad statement;
  statement.job = {"shop", "visits"};
  statement.table = {"shop", "visit"};
  statement.properties = {{"format", "json"}, {"envelope", "plain"}};
  statement.source = {{"kafka_topic", "visits"}};
  return statement;
}
dialect::EngineStatement statement_of(auto statement) { return statement; }
// Made outside co_await expressions, where g++ 12 cannot make them.
dialect::EngineStatement create_database() { return dialect::CreateDatabase{"shop"}; }
dialect::EngineStatement show_loads() { return dialect::ShowRoutineLoad{"shop"}; }
dialect::EngineStatement control(dialect::ControlRoutineLoad::Action action) {
  return dialect::ControlRoutineLoad{action, {"shop", "visits"}};
}
dialect::EngineStatement allow_one_error() {
  return dialect::AlterRoutineLoad{{"shop", "visits"}, {{"max_error_number", "1"}}, {}};
}
dialect::EngineStatement note_becomes_n() {
  dialect::AlterTable alter;
  alter.table = {"shop", "visit"};
  alter.actions = {dialect::AlterTable::AddColumn{{"n", "INTEGER"}}, dialect::AlterTable::DropColumn{"note"}};
  return alter;
}
dialect::EngineStatement drop_visits() { return dialect::DropTable{{{"shop", "visit"}}}; }
dialect::EngineStatement create_view() {
  dialect::CreateView view;
  view.view = {"shop", "visit_view"};
  view.duckdb_select = "SELECT * FROM visit";
  return view;
}
dialect::ModifyRows two_visits() {
  dialect::ModifyRows insert;
  insert.table = {"shop", "visit"};
  insert.source = "VALUES (1, 'a'), (1, 'b')";
  return insert;
}

Task<void> create_visits(Node& node, dialect::CreateRoutineLoad load) {
  EXPECT_EQ(co_await node.run(create_database()), "");
  EXPECT_EQ(co_await node.run(statement_of(visits_table())), "");
  EXPECT_EQ(co_await node.run(statement_of(std::move(load))), "");
}

std::string fresh_keeper_path(std::string_view name) {
  const auto path = fmt::format("{}/millrace_keeper_{}.duckdb", testing::TempDir(), name);
  for (const char* suffix : {"", ".wal", ".broken"}) std::filesystem::remove(path + suffix);
  return path;
}

TEST(Keeper, a_table_follows_its_topic_and_is_built_again_on_an_empty_disk) {
  EventLoop loop;
  MemoryLog log(loop.clock());
  const auto path = fresh_keeper_path("rebuild");
  const auto test = [](EventLoop& loop, MemoryLog& log, std::string path) -> Task<void> {
    for (int i = 0; i < 3000; ++i)
      log.put("visits", std::nullopt, fmt::format(R"({{"id":{},"note":"n{}"}})", i % 1000, i));
    SqlOptions options;
    options.cache_path = path;
    options.batch_interval = 10ms;
    const std::string sql = "SELECT count(*), min(note), sum(id) FROM shop.visit_view";
    {
      Node node(loop, log, options);
      co_await node.start();
      co_await create_visits(node, visits_load());
      EXPECT_EQ(co_await node.run(create_view()), "");
      EXPECT_EQ(co_await node.until(sql, "1000,n2000,499500;"), "1000,n2000,499500;");
      EXPECT_EQ(node.load("visits").partitions.at(0).next_offset, 3000);
      co_await node.stop();
    }
    log.put("visits", std::nullopt, R"({"id":5,"__op":1})");
    {
      Node node(loop, log, options);
      co_await node.start();
      EXPECT_EQ(node.load("visits").partitions.at(0).next_offset, 3000) << "the cache knows how far it is";
      EXPECT_EQ(co_await node.until(sql, "999,n2000,499495;"), "999,n2000,499495;");
      co_await node.stop();
    }
    std::filesystem::remove(path);
    std::filesystem::remove(path + ".wal");
    Node node(loop, log, options);
    co_await node.start();
    EXPECT_EQ(co_await node.until(sql, "999,n2000,499495;"), "999,n2000,499495;");
    co_await node.stop();
  };
  loop.run_until_done(test(loop, log, path));
}

TEST(Keeper, a_bad_record_stops_the_load_at_it_until_it_may_be_skipped) {
  EventLoop loop;
  MemoryLog log(loop.clock());
  const auto test = [](EventLoop& loop, MemoryLog& log) -> Task<void> {
    log.put("visits", std::nullopt, R"({"id":1,"note":"a"})");
    log.put("visits", std::nullopt, R"({"id":"one"})");
    log.put("visits", std::nullopt, R"({"id":2,"note":"b"})");
    SqlOptions options;
    options.batch_interval = 10ms;
    Node node(loop, log, options);
    co_await node.start();
    co_await create_visits(node, visits_load());
    EXPECT_EQ(co_await node.until_state("visits", LoadState::kPaused), LoadState::kPaused);
    EXPECT_EQ(co_await node.until("SELECT id FROM shop.visit", "1;"), "1;");
    const LoadStatus status = node.load("visits");
    EXPECT_NE(status.reason.find("visits-0 offset 1: "), std::string::npos) << status.reason;
    EXPECT_EQ(status.error_rows, 1u);
    EXPECT_EQ(status.lag, 2);
    const auto shown = co_await node.run(show_loads());
    EXPECT_NE(shown.find("PAUSED"), std::string::npos);
    EXPECT_EQ(co_await node.run(allow_one_error()), "");
    EXPECT_EQ(co_await node.run(control(dialect::ControlRoutineLoad::Action::kResume)), "");
    EXPECT_EQ(co_await node.until("SELECT id FROM shop.visit ORDER BY id", "1;2;"), "1;2;");
    EXPECT_EQ(node.load("visits").state, LoadState::kRunning);
    const std::string jobs = "SELECT name, state, progress FROM __information_schema.routine_load_jobs";
    EXPECT_EQ(co_await node.until(jobs, "visits,RUNNING,{\"0\":\"3\"};"), "visits,RUNNING,{\"0\":\"3\"};");
    co_await node.stop();
  };
  loop.run_until_done(test(loop, log));
}

std::string debezium(std::string_view extra_field, std::string_view extra_value, int id) {
  const auto fields = fmt::format(
      R"([{{"type":"int64","optional":false,"field":"id"}},{{"type":"string","optional":true,"field":"note"}}{}])",
      extra_field);
  return fmt::format(R"({{"schema":{{"type":"struct","fields":[{{"type":"struct","fields":{},"field":"before"}},)"
                     R"({{"type":"struct","fields":{},"field":"after"}},{{"type":"string","field":"op"}}]}},)"
                     R"("payload":{{"before":null,"after":{{"id":{},"note":"x"{}}},"op":"c"}}}})",
                     fields, fields, id, extra_value);
}

TEST(Keeper, captured_topics_become_tables_and_grow_columns) {
  EventLoop loop;
  MemoryLog log(loop.clock());
  const auto test = [](EventLoop& loop, MemoryLog& log) -> Task<void> {
    const auto key = [](int id) {
      return fmt::format(
          R"({{"schema":{{"type":"struct","fields":[{{"type":"int64","field":"id"}}]}},"payload":{{"id":{}}}}})", id);
    };
    log.put("salon.public.visit", key(1), debezium("", "", 1));
    log.put("salon.sales.visit", key(1), debezium("", "", 1));
    log.put("salon.public.keyless", std::nullopt, debezium("", "", 1));
    log.put("salon.transaction", std::nullopt, "{}");
    SqlOptions options;
    options.batch_interval = 10ms;
    options.auto_tables.emplace_back("salon");
    Node node(loop, log, options);
    co_await node.start();
    const std::string both = "SELECT id, note FROM salon.visit UNION ALL SELECT id, note FROM salon_sales.visit";
    EXPECT_EQ(co_await node.until(both, "1,x;1,x;"), "1,x;1,x;");
    log.put("salon.public.visit", key(2),
            debezium(R"(,{"type":"int64","optional":true,"name":"io.debezium.time.MicroTimestamp","field":"at"})",
                     R"(,"at":1000000)", 2));
    const std::string grown = "SELECT id, epoch(\"at\")::BIGINT FROM salon.visit ORDER BY id";
    EXPECT_EQ(co_await node.until(grown, "1,NULL;2,1;"), "1,NULL;2,1;");
    SqlStatus status;
    node.keeper.fill(status);
    EXPECT_EQ(status.tables, 2u);
    EXPECT_EQ(status.skipped_topics.size(), 1u);
    co_await node.stop();
  };
  loop.run_until_done(test(loop, log));
}

TEST(Keeper, statements_into_a_loaded_table_are_refused_and_others_upsert) {
  EventLoop loop;
  MemoryLog log(loop.clock());
  const auto test = [](EventLoop& loop, MemoryLog& log) -> Task<void> {
    Node node(loop, log, {});
    co_await node.start();
    co_await create_visits(node, visits_load());
    dialect::ModifyRows insert = two_visits();
    EXPECT_NE((co_await node.run(statement_of(insert))).find("filled by a routine load"), std::string::npos);
    EXPECT_EQ(co_await node.run(control(dialect::ControlRoutineLoad::Action::kStop)), "");
    EXPECT_EQ(co_await node.run(statement_of(insert)), "");
    EXPECT_EQ(co_await node.query("SELECT * FROM shop.visit"), "1,b;");
    insert.source = "VALUES (1, 'c'), (2, 'd')";
    insert.kind = dialect::ModifyRows::Kind::kInsertIgnore;
    EXPECT_EQ(co_await node.run(statement_of(insert)), "");
    EXPECT_EQ(co_await node.query("SELECT * FROM shop.visit ORDER BY id"), "1,b;2,d;");
    EXPECT_EQ(co_await node.run(note_becomes_n()), "");
    EXPECT_EQ(co_await node.query("SELECT * FROM shop.visit ORDER BY id"), "1,NULL;2,NULL;");
    EXPECT_EQ(co_await node.run(drop_visits()), "");
    EXPECT_NE((co_await node.query("SELECT * FROM shop.visit")).find("does not exist"), std::string::npos);
    co_await node.stop();
  };
  loop.run_until_done(test(loop, log));
}

TEST(Sessions, long_results_stream_odd_types_become_text_and_a_token_stops_work) {
  EventLoop loop;
  MemoryLog log(loop.clock());
  const auto test = [](EventLoop& loop, MemoryLog& log) -> Task<void> {
    Node node(loop, log, {});
    co_await node.start();
    const auto numbers = co_await node.query("SELECT i FROM range(100000) t(i)");
    EXPECT_TRUE(numbers.ends_with("99998;99999;"));
    EXPECT_EQ(co_await node.query("SELECT [1, 2] AS l, {'a': 1} AS s, INTERVAL 1 DAY AS d, 'b'::ENUM('a', 'b') AS e, "
                                  "'00000000-0000-0000-0000-000000000001'::UUID AS u, 1.25 AS n, NULL AS z"),
              "[1, 2],{'a': 1},1 day,b,00000000-0000-0000-0000-000000000001,1.25,NULL;");
    EXPECT_NE((co_await node.query("SELECT nothing FROM nowhere")).find("nowhere does not exist"), std::string::npos);
    auto described = co_await node.session->describe("SELECT ?::INTEGER AS a, 'x' AS b");
    EXPECT_TRUE(described && described->size() == 2 && (*described)[0].type == ColumnType::kInt32);
    CancelToken token;
    token.cancel();
    auto never = co_await node.session->query("SELECT 1", token);
    EXPECT_TRUE(!never && never.error().code() == Code::kCancelled);
    CancelToken later;
    node.clock.call_at(node.clock.now() + 50ms, [later]() mutable { later.cancel(); });
    auto stopped =
        co_await node.session->query("SELECT count(*) FROM range(1000000000000) t(i) WHERE i % 7 = 3", later);
    EXPECT_TRUE(!stopped && stopped.error().code() == Code::kCancelled);
    EXPECT_EQ(co_await node.query("SELECT 1"), "1;");
    co_await node.stop();
  };
  loop.run_until_done(test(loop, log));
}

}  // namespace
}  // namespace millrace::sql::ingest
