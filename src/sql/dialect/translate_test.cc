#include "sql/dialect/translate.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sql/dialect/functions.h"
#include "sql/dialect/lexer.h"
#include "sql/dialect/variables.h"

namespace millrace::sql::dialect {
namespace {

Context shop() {
  Context context;
  context.database = "shop";
  return context;
}

// The DuckDB SQL of a statement that reads, or "error: ..".
std::string sql_of(std::string_view mysql, const Context& context = shop()) {
  const auto action = translate(mysql, context);
  if (!action) return "error: " + action.error().message();
  const auto* query = std::get_if<Query>(&*action);
  return query ? query->duckdb_sql : "not a query";
}

template <class T>
T statement_of(std::string_view mysql) {
  auto action = translate(mysql, shop());
  if (!action) {
    ADD_FAILURE() << action.error().message();
    return T{};
  }
  auto* statement = std::get_if<EngineStatement>(&*action);
  if (!statement || !std::holds_alternative<T>(*statement)) {
    ADD_FAILURE() << "another kind of statement: " << mysql;
    return T{};
  }
  return std::get<T>(std::move(*statement));
}

struct Rewrite {
  std::string_view mysql, duckdb;
};

TEST(Select, is_rewritten) {
  static constexpr Rewrite kTable[] = {
      {"select `a b` from `t` where x = \"it's\"", "SELECT \"a b\" FROM \"t\" WHERE \"x\" = 'it''s'"},
      {"select a from t limit 5, 10", "SELECT \"a\" FROM \"t\" LIMIT 10 OFFSET 5"},
      {"select a div 2 x from t", "SELECT \"a\" // 2 AS \"x\" FROM \"t\""},
      {"select a mod 2 x from t", "SELECT \"a\" % 2 AS \"x\" FROM \"t\""},
      {"select 1 from t where a regexp '^x'",
       "SELECT 1 AS \"1\" FROM \"t\" WHERE regexp_matches(CAST(\"a\" AS VARCHAR), '^x')"},
      {"select a <=> null x from t", "SELECT \"a\" IS NOT DISTINCT FROM NULL AS \"x\" FROM \"t\""},
      {"select count(*) from t", "SELECT count(*) AS \"count(*)\" FROM \"t\""},
      {"select a from t order by null", "SELECT \"a\" FROM \"t\""},
      {"select 1 from dual", "SELECT 1 AS \"1\""},
      {"select a from t force index (x) for update", "SELECT \"a\" FROM \"t\""},
      {"select a from t join u", "SELECT \"a\" FROM \"t\" CROSS JOIN \"u\""},
      {"select a from t straight_join u on t.a = u.a",
       "SELECT \"a\" FROM \"t\" JOIN \"u\" ON \"t\".\"a\" = \"u\".\"a\""},
      {"select a from t group by a with rollup", "SELECT \"a\" FROM \"t\" GROUP BY ROLLUP(\"a\")"},
      {"select upper(a) x from t having x = 'A' order by x",
       "SELECT upper(CAST(\"a\" AS VARCHAR)) AS \"x\" FROM \"t\" WHERE ((upper(CAST(\"a\" AS VARCHAR))) = 'A') ORDER "
       "BY "
       "\"x\""},
      {"select a || b x from t", "SELECT \"a\" OR \"b\" AS \"x\" FROM \"t\""},
      {"select concat(a, 'x') x from t", "SELECT (CAST(\"a\" AS VARCHAR) || 'x') AS \"x\" FROM \"t\""},
      {"select ifnull(a, 'none') x from t",
       "SELECT coalesce(CAST(\"a\" AS VARCHAR), CAST('none' AS VARCHAR)) AS \"x\" FROM \"t\""},
      {"select true + 1 x", "SELECT CAST(TRUE AS INTEGER) + 1 AS \"x\""},
      {"select count(distinct a, b) x from t",
       "SELECT count(DISTINCT CASE WHEN \"a\" IS NOT NULL AND \"b\" IS NOT NULL THEN (\"a\", \"b\") END) AS \"x\" FROM "
       "\"t\""},
      {"select group_concat(distinct a order by a desc separator '|') x from t",
       "SELECT string_agg(DISTINCT CAST(\"a\" AS VARCHAR), '|' ORDER BY CAST(\"a\" AS VARCHAR) DESC) AS \"x\" FROM "
       "\"t\""},
      {"select date_add(d, interval 1 month) x from t", "SELECT (\"d\" + INTERVAL (1) MONTH) AS \"x\" FROM \"t\""},
      {"select curdate() - interval 7 day x", "SELECT CAST(current_date - INTERVAL (7) DAY AS DATE) AS \"x\""},
      {"select cast(a as unsigned) x from t", "SELECT CAST(\"a\" AS UBIGINT) AS \"x\" FROM \"t\""},
      {"select a from t where b like 'x\\_y'", "SELECT \"a\" FROM \"t\" WHERE \"b\" LIKE 'x\\_y' ESCAPE '\\'"},
      {"select a from t where b like 'x%'", "SELECT \"a\" FROM \"t\" WHERE \"b\" LIKE 'x%'"},
      {"select a from information_schema.tables", "SELECT \"a\" FROM \"__information_schema\".\"tables\""},
      {"select database() x", "SELECT 'shop' AS \"x\""},
      {"select @@autocommit x", "SELECT CAST(1 AS BIGINT) AS \"x\""},
      {"select a from t where b = ? and c = ?", "SELECT \"a\" FROM \"t\" WHERE (\"b\" = ?) AND (\"c\" = ?)"},
      {"select a from t union distinct (select b from u) order by 1",
       "SELECT \"a\" FROM \"t\" UNION (SELECT \"b\" FROM \"u\") ORDER BY 1"},
      {"/*! select */ a from t -- all", "SELECT \"a\" FROM \"t\""},
  };
  for (const auto& row : kTable) EXPECT_EQ(sql_of(row.mysql), row.duckdb) << row.mysql;
}

TEST(Select, columns_beside_the_groups_become_any_value_when_loose) {
  Context loose = shop();
  loose.loose_group_by = true;
  EXPECT_EQ(sql_of("select o.id, o.name, sum(p) s from o group by o.id order by o.name", loose),
            "SELECT \"o\".\"id\", any_value(\"o\".\"name\") AS \"name\", sum(\"p\") AS \"s\" FROM \"o\" GROUP BY "
            "\"o\".\"id\" ORDER BY any_value(\"o\".\"name\")");
  EXPECT_EQ(sql_of("select a from t where b = 1", loose), "SELECT \"a\" FROM \"t\" WHERE \"b\" = 1");
}

TEST(Select, unknown_syntax_passes_to_duckdb_requoted) {
  EXPECT_EQ(sql_of("select [1, 2][1] as `x`"), "select [1, 2][1] as \"x\" ");
}

TEST(Select, errors_are_mysqls) {
  EXPECT_EQ(sql_of("selec 1"),
            "error: You have an error in your SQL syntax; unknown statement near 'selec 1' at line 1");
  EXPECT_EQ(sql_of("select 'x"),
            "error: You have an error in your SQL syntax; a string that never ends near ''x' at line 1");
  EXPECT_EQ(sql_of("select @@nope"), "error: Unknown system variable 'nope'");
  EXPECT_EQ(sql_of("show tables", Context()), "error: No database selected (USE one, or write database.table)");
}

TEST(Select, deep_nesting_is_an_error_and_no_overflow) {
  const std::string deep = "select @@version + " + std::string(100'000, '(') + "1" + std::string(100'000, ')');
  EXPECT_NE(sql_of(deep).find("nested too deeply"), std::string::npos);
  const std::string signs = "select @@version, " + std::string(100'000, '!') + "1";
  EXPECT_NE(sql_of(signs).find("nested too deeply"), std::string::npos);
}

TEST(Select, long_chains_are_fine) {
  std::string chain = "select 1 from t where a = 0";
  for (int i = 1; i < 20'000; ++i) chain += " or a = " + std::to_string(i);
  EXPECT_TRUE(sql_of(chain).starts_with("SELECT 1"));
}

TEST(DateFormat, is_mapped) {
  EXPECT_EQ(strftime_format("%Y-%m-%d %H:%i:%s").value(), "%Y-%m-%d %H:%M:%S");
  EXPECT_EQ(strftime_format("%M %e, %c %h %p%%").value(), "%B %-d, %-m %I %p%%");
  EXPECT_EQ(strftime_format("%D").error().code(), Code::kUnsupported);
}

TEST(CreateTable, in_starrocks_grammar) {
  const auto table = statement_of<CreateTable>(
      "CREATE TABLE IF NOT EXISTS s.bookings (id BIGINT NOT NULL COMMENT 'key', price DECIMAL(10, 2) DEFAULT '0', at "
      "DATETIME(6), n INT(11) UNSIGNED, KEY k (n)) ENGINE=OLAP PRIMARY KEY (id) COMMENT 'x' DISTRIBUTED BY HASH(id) "
      "BUCKETS 8 ORDER BY (at) PROPERTIES (\"Replication_num\" = \"1\")");
  EXPECT_EQ(table.table, (ObjectName{"s", "bookings"}));
  EXPECT_TRUE(table.if_not_exists);
  EXPECT_EQ(table.kind, TableKind::kPrimaryKey);
  ASSERT_EQ(table.columns.size(), 4u);
  EXPECT_EQ(table.columns[0].duckdb_type, "BIGINT");
  EXPECT_TRUE(table.columns[0].not_null);
  EXPECT_EQ(table.columns[1].duckdb_type, "DECIMAL(10,2)");
  EXPECT_EQ(table.columns[1].default_sql, "'0'");
  EXPECT_EQ(table.columns[2].duckdb_type, "TIMESTAMP");
  EXPECT_EQ(table.columns[3].duckdb_type, "UINTEGER");
  EXPECT_EQ(table.columns[3].mysql_type, "int(11) unsigned");
  EXPECT_EQ(table.primary_key, std::vector<std::string>{"id"});
  EXPECT_EQ(table.order_by, std::vector<std::string>{"at"});
  EXPECT_EQ(table.properties, (Properties{{"replication_num", "1"}}));
}

TEST(CreateTable, in_mysql_grammar) {
  const auto table = statement_of<CreateTable>(
      "create table t (id int auto_increment primary key, name varchar(20) character set utf8mb4 collate x not null "
      "default 'a', ok tinyint(1), unique key u (name(10))) engine=InnoDB default charset=utf8mb4 auto_increment=7");
  EXPECT_EQ(table.table, (ObjectName{"shop", "t"}));
  EXPECT_EQ(table.primary_key, std::vector<std::string>{"id"});
  EXPECT_EQ(table.columns.size(), 3u);
  EXPECT_TRUE(table.columns[0].not_null);
}

TEST(CreateTable, refuses_what_it_cannot_keep) {
  EXPECT_NE(sql_of("create table t (a int, primary key (b))").find("Key column 'b'"), std::string::npos);
  EXPECT_NE(sql_of("create table t (a int) aggregate key (a)").find("AGGREGATE KEY"), std::string::npos);
  EXPECT_NE(sql_of("create table t (a geometry)").find("unknown type 'GEOMETRY'"), std::string::npos);
}

TEST(CreateView, keeps_both_texts) {
  const auto view = statement_of<CreateView>("create or replace view v (a, b) as select x, count(*) from t group by x");
  EXPECT_TRUE(view.or_replace);
  EXPECT_EQ(view.columns, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(view.mysql_select, "select x, count(*) from t group by x");
  EXPECT_EQ(view.duckdb_select, "SELECT \"x\", count(*) AS \"count(*)\" FROM \"t\" GROUP BY \"x\"");
}

TEST(RoutineLoad, in_starrocks_grammar) {
  const auto load = statement_of<CreateRoutineLoad>(
      "CREATE ROUTINE LOAD shop.job1 ON bookings COLUMNS TERMINATED BY ',', COLUMNS (a, tmp, b = tmp + 1), WHERE a > 5 "
      "PROPERTIES (\"format\" = \"json\", \"Envelope\" = \"debezium\", \"max_error_number\" = \"0\") FROM KAFKA "
      "(\"kafka_broker_list\" = \"h:9092\", \"kafka_topic\" = \"t\", \"property.group.id\" = \"g\")");
  EXPECT_EQ(load.job, (ObjectName{"shop", "job1"}));
  EXPECT_EQ(load.table, (ObjectName{"shop", "bookings"}));
  ASSERT_EQ(load.columns.size(), 3u);
  EXPECT_EQ(load.columns[2].expression, "\"tmp\" + 1");
  EXPECT_EQ(load.where, "\"a\" > 5");
  EXPECT_EQ(load.column_separator, ",");
  EXPECT_EQ(load.properties.at("envelope"), "debezium");
  EXPECT_EQ(load.source.at("kafka_topic"), "t");
}

TEST(RoutineLoad, is_controlled_and_shown) {
  EXPECT_EQ(statement_of<ControlRoutineLoad>("PAUSE ROUTINE LOAD FOR job1").job, (ObjectName{"shop", "job1"}));
  EXPECT_EQ(statement_of<ControlRoutineLoad>("RESUME ROUTINE LOAD FOR d.j").action,
            ControlRoutineLoad::Action::kResume);
  EXPECT_TRUE(statement_of<ShowRoutineLoad>("SHOW ALL ROUTINE LOAD FROM d").all);
  EXPECT_EQ(statement_of<ShowRoutineLoad>("SHOW ROUTINE LOAD FOR j").job, "j");
  EXPECT_EQ(statement_of<AlterRoutineLoad>("ALTER ROUTINE LOAD FOR j PROPERTIES (\"a\"=\"1\")").properties.at("a"),
            "1");
}

TEST(RoutineLoad, takes_its_database_from_either_name) {
  const auto created = [](std::string_view names, std::string database) {
    Context context;
    context.database = std::move(database);
    const auto action =
        translate(fmt::format("create routine load {} from kafka (\"kafka_topic\" = \"x\")", names), context);
    if (!action) return action.error().message();
    const auto& load = std::get<CreateRoutineLoad>(std::get<EngineStatement>(*action));
    return fmt::format("{}.{} {}.{}", load.job.database, load.job.name, load.table.database, load.table.name);
  };
  EXPECT_EQ(created("d.j on t", ""), "d.j d.t");
  EXPECT_EQ(created("d.j on t", "other"), "d.j d.t");
  EXPECT_EQ(created("j on d.t", ""), "d.j d.t");
  EXPECT_EQ(created("j on t", "d"), "d.j d.t");
  EXPECT_EQ(created("d.j on d.t", ""), "d.j d.t");
  EXPECT_TRUE(created("j on t", "").starts_with("No database selected"));
  EXPECT_NE(created("d.j on e.t", "d").find("must be in the database of its table e.t"), std::string::npos);
}

TEST(RoutineLoad, is_shown_for_all_databases_where_none_is_said) {
  const auto shown = [](std::string_view sql, std::string database) {
    Context context;
    context.database = std::move(database);
    auto action = translate(sql, context);
    EXPECT_TRUE(action) << sql;
    return std::get<ShowRoutineLoad>(std::get<EngineStatement>(*action));
  };
  EXPECT_EQ(shown("show routine load", "").database, "");
  EXPECT_EQ(shown("show routine load", "d").database, "d");
  EXPECT_EQ(shown("show routine load from e like 'j%'", "d").database, "e");
  EXPECT_EQ(shown("show routine load from e like 'j%'", "").like, "j%");
  EXPECT_EQ(shown("show routine load for j", "").database, "");
  EXPECT_EQ(shown("show routine load for e.j", "d").database, "e");
  EXPECT_EQ(shown("show routine load for j from e", "d").database, "e");
}

TEST(ProcessList, has_the_live_connections) {
  Context context = shop();
  context.processes = [] { return std::vector<Process>{{.id = 7, .user = "root", .host = "h:1", .info = "it's"}}; };
  EXPECT_EQ(
      sql_of("select id from information_schema.processlist p where p.id = 7", context),
      "SELECT \"id\" FROM (SELECT * FROM (VALUES (CAST(7 AS BIGINT), 'root', 'h:1', NULL, '', CAST(0 AS INTEGER), "
      "'', 'it''s')) AS shown(\"ID\", \"USER\", \"HOST\", \"DB\", \"COMMAND\", \"TIME\", \"STATE\", \"INFO\")) AS "
      "\"p\" WHERE \"p\".\"id\" = 7");
  EXPECT_EQ(sql_of("select 1 from processlist", context), "SELECT 1 AS \"1\" FROM \"processlist\"");
  EXPECT_NE(sql_of("create view v as select id from information_schema.processlist", context).find("processlist"),
            std::string::npos);
}

TEST(RoutineLoad, says_what_is_missing_or_twice) {
  EXPECT_NE(sql_of("create routine load j on t from kafka (\"a\" = \"b\")").find("kafka_topic"), std::string::npos);
  EXPECT_NE(
      sql_of("create routine load j on t properties (\"a\"=\"1\", \"A\"=\"2\") from kafka (\"kafka_topic\"=\"x\")")
          .find("given twice"),
      std::string::npos);
}

TEST(Modify, gives_the_parts_of_an_upsert) {
  const auto rows = statement_of<ModifyRows>("replace into t (a, b) values (1, 'x'), (2, null)");
  EXPECT_EQ(rows.kind, ModifyRows::Kind::kReplace);
  EXPECT_EQ(rows.columns, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(rows.source, "VALUES (1, 'x'), (2, NULL)");
  EXPECT_EQ(statement_of<ModifyRows>("update t set a = a + 1 where id = 3").duckdb_sql,
            "UPDATE \"shop\".\"t\" SET \"a\" = \"a\" + 1 WHERE \"id\" = 3");
  EXPECT_EQ(statement_of<ModifyRows>("delete from d.t where id in (1, 2)").duckdb_sql,
            "DELETE FROM \"d\".\"t\" WHERE \"id\" IN (1, 2)");
}

TEST(Set, takes_apart_what_clients_send) {
  const auto action = translate("SET NAMES utf8mb4, autocommit=1, @a := 5, sql_mode=concat(@@sql_mode,',X')", shop());
  ASSERT_TRUE(action.has_value()) << action.error().message();
  const auto& set = std::get<SetVariables>(*action).assignments;
  ASSERT_EQ(set.size(), 6u);
  EXPECT_EQ(set[0].name, "character_set_client");
  EXPECT_EQ(set[3].value, "1");
  EXPECT_TRUE(set[4].user_variable);
  EXPECT_TRUE(set[5].duckdb_sql.starts_with("('ONLY_FULL_GROUP_BY"));
}

TEST(Variables, are_checked_when_set) {
  Context context = shop();
  EXPECT_TRUE(set_variable(context, "autocommit", "0").has_value());
  EXPECT_EQ(variable_value(context, "autocommit"), "OFF");
  EXPECT_FALSE(set_variable(context, "nope", "1").has_value());
  EXPECT_FALSE(set_variable(context, "version", "1").has_value());
  EXPECT_FALSE(set_variable(context, "time_zone", "Europe/Berlin").has_value());
  EXPECT_TRUE(set_variable(context, "time_zone", "+00:00").has_value());
}

TEST(Statements, are_split_outside_strings_and_comments) {
  EXPECT_EQ(split_statements("select ';'; ; set @a=1 /* ; */;\n").value(),
            (std::vector<std::string>{"select ';'", "set @a=1 /* ; */"}));
  EXPECT_EQ(bind_parameters("select '?', ?, `?` = ?", {"1", "'x'"}).value(), "select '?',  1 , `?` =  'x' ");
  EXPECT_FALSE(bind_parameters("select ?", {}).has_value());
  EXPECT_EQ(count_parameters("select ?, '?' -- ?").value(), 1u);
}

TEST(Session, statements_are_recognised) {
  EXPECT_TRUE(std::holds_alternative<UseDatabase>(*translate("use `x y`", shop())));
  EXPECT_EQ(std::get<Kill>(*translate("kill query 7", shop())).id, 7u);
  EXPECT_TRUE(std::holds_alternative<Nothing>(*translate("lock tables t read", shop())));
  EXPECT_EQ(statement_of<Transaction>("start transaction with consistent snapshot").kind, Transaction::Kind::kBegin);
  EXPECT_TRUE(std::holds_alternative<ExecuteText>(*translate("execute p using @a, @b", shop())));
}

}  // namespace
}  // namespace millrace::sql::dialect
