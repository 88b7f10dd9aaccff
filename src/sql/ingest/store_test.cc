#include "sql/ingest/store.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace millrace::sql::ingest {
namespace {

using Rows = std::vector<std::vector<engine::TextCell>>;

Catalog small_catalog() {
  Catalog catalog;
  catalog.cluster = "log-a";
  catalog.databases = {"shop"};
  TableEntry table;
  table.version = 2;
  table.schema = {
      {"shop", "visit"}, {{"id", {ColumnType::kInt64}, true}, {"price", {ColumnType::kDecimal, 10, 2}}}, {0}};
  catalog.tables[table.schema.table] = table;
  LoadEntry load;
  load.job = {"shop", "visits"};
  load.table = table.schema.table;
  load.born = 3;
  catalog.loads[load.job] = load;
  return catalog;
}

std::string fresh_store_path(std::string_view name) {
  const auto path = fmt::format("{}/millrace_store_{}.duckdb", testing::TempDir(), name);
  for (const char* suffix : {"", ".wal", ".broken"}) std::filesystem::remove(path + suffix);
  return path;
}

Result<void> put_row(Store& store, const Catalog& catalog, std::int64_t id) {
  const TableSchema& schema = catalog.tables.begin()->second.schema;
  ChangeBatch batch(2);
  const auto row = batch.add_row();
  batch.row(row)[0] = Value::of_integer(id);
  batch.changes.push_back({Change::Op::kUpsert, false, row});
  auto applied = store.applier().apply({{catalog.loads.begin()->second.id(), &schema, &batch, {{0, id + 1}}}});
  if (!applied) return fail(std::move(applied).error());
  return {};
}

std::string count(Store& store) {
  return *(*engine::query_text(store.writer(), "SELECT count(*) FROM shop.visit"))[0][0];
}

TEST(Catalog, records_read_back_as_they_were_written) {
  Catalog written = small_catalog();
  auto& table = written.tables.begin()->second;
  table.schema.columns[1].encoding = Encoding::kMillis;
  table.schema.columns[1].default_sql = "1 + 1";
  table.mysql_types = {"bigint", "decimal(10,2)"};
  table.comments = {"", "in \"euros\""};
  auto& load = written.loads.begin()->second;
  load.topic = "a.b.c";
  load.start_offsets = {{0, 5}, {1, 7}};
  load.properties = {{"format", "json"}};
  load.max_error_number = -1;
  ViewEntry view{9, {"shop", "v.w"}, {"a"}, "SELECT 1", "select 1", "c"};
  Catalog read;
  for (const auto& record :
       {cluster_record("log-a"), database_record("shop", 1), record_of(table), record_of(load), record_of(view)}) {
    auto applied = read.apply(record.key, record.value);
    ASSERT_TRUE(applied) << applied.error().to_string();
  }
  EXPECT_EQ(read.cluster, "log-a");
  EXPECT_EQ(read.version, 9u);
  EXPECT_TRUE(read.databases.contains("shop"));
  for (const auto& [name, entry] : read.tables) EXPECT_EQ(record_of(entry).value, record_of(table).value);
  for (const auto& [name, entry] : read.loads) EXPECT_EQ(record_of(entry).value, record_of(load).value);
  EXPECT_EQ(record_of(read.views.at({"shop", "v.w"})).value, record_of(view).value);
  ASSERT_TRUE(read.apply(dropped_view({"shop", "v.w"}).key, std::nullopt));
  EXPECT_TRUE(read.views.empty());
  EXPECT_FALSE(read.apply("view:nonsense", "{}"));
  EXPECT_FALSE(read.apply("table:4:shop.x", "{\"columns\":"));
  EXPECT_FALSE(read.apply("spell:4:shop.x", "{}"));
}

TEST(Store, a_reopened_cache_keeps_rows_and_offsets) {
  const auto path = fresh_store_path("reopen");
  const Catalog catalog = small_catalog();
  {
    auto store = std::move(*Store::open({path, 1}));
    ASSERT_TRUE(store->reconcile(catalog));
    auto put = put_row(*store, catalog, 7);
    ASSERT_TRUE(put) << put.error().to_string();
  }
  auto store = std::move(*Store::open({path, 1}));
  ASSERT_TRUE(store->reconcile(catalog));
  EXPECT_EQ(count(*store), "1");
  EXPECT_EQ(store->applier().progress()->at("shop.visits#3").next_offsets.at(0), 8);
}

TEST(Store, a_table_in_another_form_is_made_anew_and_its_offsets_forgotten) {
  const auto path = fresh_store_path("form");
  Catalog catalog = small_catalog();
  auto store = std::move(*Store::open({path, 1}));
  ASSERT_TRUE(store->reconcile(catalog));
  ASSERT_TRUE(put_row(*store, catalog, 7));
  catalog.tables.begin()->second.version = 12;
  ASSERT_TRUE(store->reconcile(catalog));
  EXPECT_EQ(count(*store), "0");
  EXPECT_TRUE(store->applier().progress()->empty());
}

TEST(Store, a_cache_of_another_log_is_emptied) {
  const auto path = fresh_store_path("foreign");
  Catalog catalog = small_catalog();
  auto store = std::move(*Store::open({path, 1}));
  ASSERT_TRUE(store->reconcile(catalog));
  ASSERT_TRUE(put_row(*store, catalog, 7));
  catalog.cluster = "log-b";
  ASSERT_TRUE(store->reconcile(catalog));
  EXPECT_EQ(count(*store), "0");
  EXPECT_TRUE(store->applier().progress()->empty());
}

TEST(Store, a_broken_file_is_set_aside) {
  const auto path = fresh_store_path("broken");
  std::ofstream(path) << std::string(20000, 'x');
  auto store = Store::open({path, 1});
  ASSERT_TRUE(store) << store.error().to_string();
  EXPECT_TRUE(std::filesystem::exists(path + ".broken"));
  ASSERT_TRUE((*store)->reconcile(small_catalog()));
  EXPECT_EQ(count(**store), "0");
}

TEST(Store, views_ten_deep_follow_their_table) {
  Catalog catalog = small_catalog();
  auto store = std::move(*Store::open({"", 1}));
  for (int i = 1; i <= 10; ++i) {
    // Named so that each reads one that comes later in the alphabet.
    const auto below = i == 1 ? std::string("visit") : fmt::format("v{:02}", 100 - i + 1);
    ViewEntry view{static_cast<std::uint64_t>(i),
                   {"shop", fmt::format("v{:02}", 100 - i)},
                   {},
                   "SELECT *, id + 1 AS n" + std::to_string(i) + " FROM \"" + below + "\"",
                   "",
                   ""};
    catalog.views[view.view] = view;
  }
  ASSERT_TRUE(store->reconcile(catalog));
  ASSERT_TRUE(put_row(*store, catalog, 7));
  auto reader = std::move(*store->connect());
  auto rows = engine::query_text(*reader, "SELECT n10, n1 FROM shop.v90");
  ASSERT_TRUE(rows) << rows.error().to_string();
  EXPECT_EQ(*rows, (Rows{{"8", "8"}}));
  TableEntry wider = catalog.tables.begin()->second;
  wider.schema.columns.push_back({"note", {ColumnType::kText}});
  wider.version = 40;
  ASSERT_TRUE(store->alter_table(wider.schema.table, wider, {"ALTER TABLE shop.visit ADD COLUMN note VARCHAR"}));
  catalog.tables[wider.schema.table] = wider;
  store->refresh_views(catalog);
  rows = engine::query_text(*reader, "SELECT n10, note FROM shop.v90");
  ASSERT_TRUE(rows) << rows.error().to_string();
  EXPECT_EQ(*rows, (Rows{{"8", std::nullopt}}));
}

}  // namespace
}  // namespace millrace::sql::ingest
