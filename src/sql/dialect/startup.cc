#include "sql/dialect/startup.h"

#include <fmt/format.h>

namespace millrace::sql::dialect {
namespace {

// Objects that clients may see.
constexpr const char* kVisible =
    "NOT internal AND database_name = current_database() AND schema_name <> 'main' AND left(schema_name, 2) <> '__'";

constexpr const char* kCatalogue[] = {
    "CREATE SCHEMA IF NOT EXISTS __millrace",
    "CREATE SCHEMA IF NOT EXISTS __information_schema",
    "CREATE SCHEMA IF NOT EXISTS __mysql",
    "CREATE TABLE IF NOT EXISTS __millrace.primary_keys(table_schema VARCHAR, table_name VARCHAR, "
    "column_name VARCHAR, ordinal INTEGER)",
    "CREATE TABLE IF NOT EXISTS __millrace.definitions(object_schema VARCHAR, object_name VARCHAR, kind VARCHAR, "
    "mysql_text VARCHAR, comment VARCHAR)",
};

constexpr const char* kMacros[] = {
    // The name that MySQL has for a DuckDB type.
    R"(CREATE OR REPLACE MACRO __millrace.mysql_type(t) AS CASE
         WHEN t = 'BOOLEAN' THEN 'tinyint(1)' WHEN t = 'TINYINT' THEN 'tinyint' WHEN t = 'SMALLINT' THEN 'smallint'
         WHEN t = 'INTEGER' THEN 'int' WHEN t = 'BIGINT' THEN 'bigint' WHEN t = 'HUGEINT' THEN 'decimal(38,0)'
         WHEN t = 'UTINYINT' THEN 'tinyint unsigned' WHEN t = 'USMALLINT' THEN 'smallint unsigned'
         WHEN t = 'UINTEGER' THEN 'int unsigned' WHEN t = 'UBIGINT' THEN 'bigint unsigned'
         WHEN t = 'FLOAT' THEN 'float' WHEN t = 'DOUBLE' THEN 'double' WHEN t LIKE 'DECIMAL%' THEN lower(t)
         WHEN t = 'DATE' THEN 'date' WHEN t = 'TIME' THEN 'time(6)' WHEN t LIKE 'TIMESTAMP%' THEN 'datetime(6)'
         WHEN t = 'BLOB' THEN 'longblob' WHEN t = 'JSON' THEN 'json' ELSE 'varchar(65533)' END)",
    "CREATE OR REPLACE MACRO __millrace.data_type(t) AS regexp_extract(__millrace.mysql_type(t), '^[a-z]+')",
    // '+05:30' is an offset, 'SYSTEM' is UTC, anything else a name.
    R"(CREATE OR REPLACE MACRO __millrace.zone_offset(z) AS CASE WHEN regexp_full_match(z, '[+-]\d?\d:\d\d')
         THEN (CASE WHEN left(z, 1) = '-' THEN -1 ELSE 1 END) * (CAST(regexp_extract(z, '(\d+):', 1) AS INTEGER) * 60
              + CAST(regexp_extract(z, ':(\d+)', 1) AS INTEGER)) END)",
    "CREATE OR REPLACE MACRO __millrace.zone_name(z) AS CASE WHEN upper(z) = 'SYSTEM' THEN 'UTC' ELSE z END",
    R"(CREATE OR REPLACE MACRO __millrace.to_utc(t, z) AS CASE WHEN __millrace.zone_offset(z) IS NOT NULL
         THEN t - to_minutes(__millrace.zone_offset(z)) ELSE timezone('UTC', timezone(CASE WHEN
         __millrace.zone_offset(z) IS NOT NULL THEN 'UTC' ELSE __millrace.zone_name(z) END, t)) END)",
    R"(CREATE OR REPLACE MACRO __millrace.from_utc(t, z) AS CASE WHEN __millrace.zone_offset(z) IS NOT NULL
         THEN t + to_minutes(__millrace.zone_offset(z)) ELSE timezone(CASE WHEN __millrace.zone_offset(z) IS NOT NULL
         THEN 'UTC' ELSE __millrace.zone_name(z) END, timezone('UTC', t)) END)",
    "CREATE OR REPLACE MACRO __millrace.convert_tz(t, a, b) AS __millrace.from_utc(__millrace.to_utc(t, a), b)",
    // WEEK(d, mode) for the modes in use: 0 (Sunday, from 0), 1 (Monday, ISO-like from 0), 2, 3 (ISO), 5, 7.
    R"(CREATE OR REPLACE MACRO __millrace.week_of(d, mode) AS CASE mode
         WHEN 0 THEN CAST(strftime(d, '%U') AS INTEGER)
         WHEN 1 THEN CASE WHEN isoyear(d) < year(d) THEN 0 WHEN isoyear(d) > year(d) THEN 53 ELSE week(d) END
         WHEN 3 THEN week(d) WHEN 5 THEN CAST(strftime(d, '%W') AS INTEGER)
         ELSE error('WEEK() supports the modes 0, 1, 3 and 5') END)",
    // Mode 0: days before the year's first Sunday belong to the last week of the year before.
    R"(CREATE OR REPLACE MACRO __millrace.yearweek_of(d, mode) AS CASE WHEN mode IN (1, 3)
         THEN isoyear(d) * 100 + week(d)
         WHEN strftime(d, '%U') = '00' THEN (year(d) - 1) * 100 + CAST(strftime(make_date(year(d) - 1, 12, 31), '%U') AS INTEGER)
         ELSE year(d) * 100 + CAST(strftime(d, '%U') AS INTEGER) END)",
};

std::vector<std::string> catalogue_views() {
  return {
      fmt::format("CREATE OR REPLACE VIEW __information_schema.schemata AS SELECT 'def' AS catalog_name, "
                  "schema_name, 'utf8mb4' AS default_character_set_name, 'utf8mb4_0900_ai_ci' AS "
                  "default_collation_name, CAST(NULL AS VARCHAR) AS sql_path, 'NO' AS default_encryption "
                  "FROM duckdb_schemas() WHERE {} UNION ALL SELECT 'def', 'information_schema', 'utf8mb3', "
                  "'utf8mb3_general_ci', NULL, 'NO'",
                  kVisible),
      fmt::format(R"(CREATE OR REPLACE VIEW __information_schema.tables AS
         SELECT 'def' AS table_catalog, schema_name AS table_schema, table_name, 'BASE TABLE' AS table_type,
           'millrace' AS engine, 10 AS version, 'Dynamic' AS row_format, estimated_size AS table_rows,
           CAST(0 AS BIGINT) AS avg_row_length, CAST(0 AS BIGINT) AS data_length, CAST(0 AS BIGINT) AS max_data_length,
           CAST(0 AS BIGINT) AS index_length, CAST(0 AS BIGINT) AS data_free, CAST(NULL AS BIGINT) AS auto_increment,
           CAST(NULL AS TIMESTAMP) AS create_time, CAST(NULL AS TIMESTAMP) AS update_time,
           CAST(NULL AS TIMESTAMP) AS check_time, 'utf8mb4_0900_ai_ci' AS table_collation,
           CAST(NULL AS BIGINT) AS checksum, '' AS create_options, coalesce(comment, '') AS table_comment
         FROM duckdb_tables() WHERE {0}
         UNION ALL SELECT 'def', schema_name, view_name, 'VIEW', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'VIEW' FROM duckdb_views() WHERE {0}
         UNION ALL SELECT 'def', 'information_schema', upper(view_name), 'SYSTEM VIEW', NULL, 10, NULL, NULL, NULL, NULL,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '' FROM duckdb_views()
           WHERE schema_name = '__information_schema')",
                  kVisible),
      fmt::format(R"(CREATE OR REPLACE VIEW __information_schema.columns AS
         SELECT 'def' AS table_catalog, c.schema_name AS table_schema, c.table_name, c.column_name,
           CAST(c.column_index AS BIGINT) AS ordinal_position, c.column_default,
           CASE WHEN k.ordinal IS NULL AND c.is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable,
           __millrace.data_type(c.data_type) AS data_type,
           CASE WHEN __millrace.data_type(c.data_type) = 'varchar' THEN CAST(65533 AS BIGINT)
             WHEN __millrace.data_type(c.data_type) IN ('longblob', 'json') THEN CAST(4294967295 AS BIGINT)
             END AS character_maximum_length,
           CASE WHEN __millrace.data_type(c.data_type) = 'varchar' THEN CAST(262132 AS BIGINT)
             WHEN __millrace.data_type(c.data_type) IN ('longblob', 'json') THEN CAST(4294967295 AS BIGINT)
             END AS character_octet_length,
           CASE __millrace.data_type(c.data_type) WHEN 'tinyint' THEN 3 WHEN 'smallint' THEN 5 WHEN 'int' THEN 10
             WHEN 'bigint' THEN 19 WHEN 'float' THEN 12 WHEN 'double' THEN 22
             WHEN 'decimal' THEN coalesce(c.numeric_precision, 38) END AS numeric_precision,
           CASE WHEN __millrace.data_type(c.data_type) IN ('tinyint', 'smallint', 'int', 'bigint') THEN 0
             WHEN __millrace.data_type(c.data_type) = 'decimal' THEN coalesce(c.numeric_scale, 0) END AS numeric_scale,
           CASE WHEN __millrace.data_type(c.data_type) IN ('datetime', 'time') THEN 6 END AS datetime_precision,
           CASE WHEN __millrace.data_type(c.data_type) = 'varchar' THEN 'utf8mb4' END AS character_set_name,
           CASE WHEN __millrace.data_type(c.data_type) = 'varchar' THEN 'utf8mb4_0900_ai_ci' END AS collation_name,
           __millrace.mysql_type(c.data_type) AS column_type,
           CASE WHEN k.ordinal IS NULL THEN '' ELSE 'PRI' END AS column_key, '' AS extra,
           'select,insert,update,references' AS privileges, coalesce(c.comment, '') AS column_comment,
           '' AS generation_expression, CAST(NULL AS INTEGER) AS srs_id
         FROM duckdb_columns() c LEFT JOIN __millrace.primary_keys k ON k.table_schema = c.schema_name
           AND k.table_name = c.table_name AND k.column_name = c.column_name
         WHERE NOT c.internal AND c.database_name = current_database() AND c.schema_name <> 'main'
           AND left(c.schema_name, 2) <> '__')"),
      fmt::format(
          "CREATE OR REPLACE VIEW __information_schema.views AS SELECT 'def' AS table_catalog, schema_name AS "
          "table_schema, view_name AS table_name, coalesce((SELECT any_value(d.mysql_text) FROM "
          "__millrace.definitions d WHERE d.object_schema = schema_name AND d.object_name = view_name), sql) AS "
          "view_definition, 'NONE' AS check_option, 'NO' AS is_updatable, 'root@localhost' AS definer, "
          "'DEFINER' AS security_type, 'utf8mb4' AS character_set_client, 'utf8mb4_0900_ai_ci' AS "
          "collation_connection FROM duckdb_views() WHERE {}",
          kVisible),
  };
}

constexpr const char* kKeyViews[] = {
    R"(CREATE OR REPLACE VIEW __information_schema.statistics AS SELECT 'def' AS table_catalog, table_schema, table_name,
         CAST(0 AS BIGINT) AS non_unique, table_schema AS index_schema, 'PRIMARY' AS index_name,
         CAST(ordinal AS BIGINT) AS seq_in_index, column_name, 'A' AS "collation", CAST(NULL AS BIGINT) AS cardinality,
         CAST(NULL AS BIGINT) AS sub_part, CAST(NULL AS VARCHAR) AS packed, '' AS nullable, 'BTREE' AS index_type,
         '' AS comment, '' AS index_comment, 'YES' AS is_visible, CAST(NULL AS VARCHAR) AS expression
       FROM __millrace.primary_keys)",
    R"(CREATE OR REPLACE VIEW __information_schema.key_column_usage AS SELECT 'def' AS constraint_catalog,
         table_schema AS constraint_schema, 'PRIMARY' AS constraint_name, 'def' AS table_catalog, table_schema,
         table_name, column_name, CAST(ordinal AS BIGINT) AS ordinal_position,
         CAST(NULL AS BIGINT) AS position_in_unique_constraint, CAST(NULL AS VARCHAR) AS referenced_table_schema,
         CAST(NULL AS VARCHAR) AS referenced_table_name, CAST(NULL AS VARCHAR) AS referenced_column_name
       FROM __millrace.primary_keys)",
    R"(CREATE OR REPLACE VIEW __information_schema.table_constraints AS SELECT DISTINCT 'def' AS constraint_catalog,
         table_schema AS constraint_schema, 'PRIMARY' AS constraint_name, table_schema, table_name,
         'PRIMARY KEY' AS constraint_type, 'YES' AS enforced FROM __millrace.primary_keys)",
    R"(CREATE OR REPLACE MACRO __millrace.create_text(db, t) AS coalesce(
         (SELECT 'CREATE VIEW `' || object_name || '` AS ' || mysql_text FROM __millrace.definitions
          WHERE kind = 'view' AND object_schema = db AND object_name = t LIMIT 1),
         'CREATE TABLE `' || t || '` (' || chr(10) || (SELECT string_agg('  `' || column_name || '` ' || column_type ||
           CASE WHEN is_nullable = 'NO' THEN ' NOT NULL' ELSE ' DEFAULT NULL' END, ',' || chr(10) ORDER BY
           ordinal_position) FROM __information_schema.columns WHERE table_schema = db AND table_name = t) ||
         coalesce((SELECT ',' || chr(10) || '  PRIMARY KEY (' || string_agg('`' || column_name || '`', ',' ORDER BY
           ordinal) || ')' FROM __millrace.primary_keys WHERE table_schema = db AND table_name = t), '') || chr(10) ||
         ') ENGINE=millrace DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci'))",
    R"(CREATE OR REPLACE VIEW __millrace.show_table_status AS SELECT table_schema, table_name AS "Name", engine AS "Engine",
         version AS "Version", row_format AS "Row_format", table_rows AS "Rows", avg_row_length AS "Avg_row_length",
         data_length AS "Data_length", max_data_length AS "Max_data_length", index_length AS "Index_length",
         data_free AS "Data_free", auto_increment AS "Auto_increment", create_time AS "Create_time",
         update_time AS "Update_time", check_time AS "Check_time", table_collation AS "Collation",
         checksum AS "Checksum", create_options AS "Create_options", table_comment AS "Comment"
       FROM __information_schema.tables)",
};

// Lists that never change: (name, columns, VALUES).
struct Fixed {
  const char *name, *columns, *rows;
};
constexpr Fixed kFixed[] = {
    {"__information_schema.engines", "ENGINE, SUPPORT, COMMENT, TRANSACTIONS, XA, SAVEPOINTS",
     "('millrace', 'DEFAULT', 'Tables that follow a log', 'YES', 'NO', 'NO')"},
    {"__information_schema.character_sets", "CHARACTER_SET_NAME, DEFAULT_COLLATE_NAME, DESCRIPTION, MAXLEN",
     "('utf8mb4', 'utf8mb4_0900_ai_ci', 'UTF-8 Unicode', 4), ('binary', 'binary', 'Binary pseudo charset', 1)"},
    {"__information_schema.collations", "COLLATION_NAME, CHARACTER_SET_NAME, ID, IS_DEFAULT, IS_COMPILED, SORTLEN",
     "('utf8mb4_0900_ai_ci', 'utf8mb4', 255, 'Yes', 'Yes', 0), ('utf8mb4_general_ci', 'utf8mb4', 45, '', 'Yes', 1), "
     "('utf8mb4_bin', 'utf8mb4', 46, '', 'Yes', 1), ('binary', 'binary', 63, 'Yes', 'Yes', 1)"},
    {"__information_schema.keywords", "WORD, RESERVED",
     "('SELECT', 1), ('FROM', 1), ('WHERE', 1), ('GROUP', 1), ('ORDER', 1), ('BY', 1), ('TABLE', 1), ('CREATE', 1), "
     "('DROP', 1), ('INSERT', 1), ('UPDATE', 1), ('DELETE', 1), ('JOIN', 1), ('INDEX', 1), ('KEY', 1), ('RANK', 1)"},
    {"__information_schema.user_privileges", "GRANTEE, TABLE_CATALOG, PRIVILEGE_TYPE, IS_GRANTABLE",
     "('''root''@''localhost''', 'def', 'SELECT', 'YES')"},
    {"__information_schema.applicable_roles", "USER, HOST, GRANTEE, GRANTEE_HOST, ROLE_NAME, ROLE_HOST", ""},
    {"__information_schema.schema_privileges", "GRANTEE, TABLE_CATALOG, TABLE_SCHEMA, PRIVILEGE_TYPE, IS_GRANTABLE",
     ""},
    {"__information_schema.table_privileges",
     "GRANTEE, TABLE_CATALOG, TABLE_SCHEMA, TABLE_NAME, PRIVILEGE_TYPE, IS_GRANTABLE", ""},
    {"__information_schema.routines",
     "SPECIFIC_NAME, ROUTINE_CATALOG, ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_TYPE, DATA_TYPE, ROUTINE_DEFINITION, "
     "SQL_DATA_ACCESS, IS_DETERMINISTIC, ROUTINE_COMMENT, CREATED, LAST_ALTERED, DEFINER, SECURITY_TYPE, "
     "DTD_IDENTIFIER",
     ""},
    {"__information_schema.parameters",
     "SPECIFIC_CATALOG, SPECIFIC_SCHEMA, SPECIFIC_NAME, ORDINAL_POSITION, PARAMETER_MODE, PARAMETER_NAME, DATA_TYPE, "
     "DTD_IDENTIFIER, ROUTINE_TYPE, CHARACTER_MAXIMUM_LENGTH, CHARACTER_OCTET_LENGTH, NUMERIC_PRECISION, "
     "NUMERIC_SCALE, DATETIME_PRECISION",
     ""},
    {"__information_schema.triggers",
     "TRIGGER_CATALOG, TRIGGER_SCHEMA, TRIGGER_NAME, EVENT_MANIPULATION, EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, "
     "ACTION_STATEMENT, ACTION_TIMING, CREATED, SQL_MODE, DEFINER",
     ""},
    {"__information_schema.events", "EVENT_CATALOG, EVENT_SCHEMA, EVENT_NAME, DEFINER, STATUS, EVENT_COMMENT", ""},
    {"__information_schema.partitions",
     "TABLE_CATALOG, TABLE_SCHEMA, TABLE_NAME, PARTITION_NAME, SUBPARTITION_NAME, PARTITION_ORDINAL_POSITION, "
     "SUBPARTITION_ORDINAL_POSITION, PARTITION_METHOD, SUBPARTITION_METHOD, PARTITION_EXPRESSION, "
     "SUBPARTITION_EXPRESSION, PARTITION_DESCRIPTION, TABLE_ROWS",
     ""},
    {"__information_schema.referential_constraints",
     "CONSTRAINT_CATALOG, CONSTRAINT_SCHEMA, CONSTRAINT_NAME, UNIQUE_CONSTRAINT_CATALOG, UNIQUE_CONSTRAINT_SCHEMA, "
     "UNIQUE_CONSTRAINT_NAME, MATCH_OPTION, UPDATE_RULE, DELETE_RULE, TABLE_NAME, REFERENCED_TABLE_NAME",
     ""},
    {"__information_schema.check_constraints", "CONSTRAINT_CATALOG, CONSTRAINT_SCHEMA, CONSTRAINT_NAME, CHECK_CLAUSE",
     ""},
    // Only for lists of tables: the dialect puts the rows in.
    {"__information_schema.processlist", "ID, USER, HOST, DB, COMMAND, TIME, STATE, INFO", ""},
    {"__information_schema.plugins", "PLUGIN_NAME, PLUGIN_VERSION, PLUGIN_STATUS, PLUGIN_TYPE", ""},
    {"__mysql.user", "\"User\", \"Host\"", "('root', 'localhost')"},
    {"__millrace.show_status", "\"Variable_name\", \"Value\"",
     "('Threads_connected', '1'), ('Uptime', '1'), ('Ssl_cipher', ''), ('Ssl_version', '')"},
    {"__millrace.show_plugins", "\"Name\", \"Status\", \"Type\", \"Library\", \"License\"",
     "('millrace', 'ACTIVE', 'STORAGE ENGINE', NULL, 'Apache-2.0')"},
    {"__millrace.show_charset", "\"Charset\", \"Description\", \"Default collation\", \"Maxlen\"",
     "('utf8mb4', 'UTF-8 Unicode', 'utf8mb4_0900_ai_ci', 4), ('binary', 'Binary pseudo charset', 'binary', 1)"},
    {"__millrace.show_collation",
     "\"Collation\", \"Charset\", \"Id\", \"Default\", \"Compiled\", \"Sortlen\", \"Pad_attribute\"",
     "('utf8mb4_0900_ai_ci', 'utf8mb4', 255, 'Yes', 'Yes', 0, 'NO PAD'), ('utf8mb4_general_ci', 'utf8mb4', 45, '', "
     "'Yes', "
     "1, 'PAD SPACE'), ('utf8mb4_bin', 'utf8mb4', 46, '', 'Yes', 1, 'PAD SPACE'), ('binary', 'binary', 63, 'Yes', "
     "'Yes', "
     "1, 'NO PAD')"},
    {"__millrace.show_privileges", "\"Privilege\", \"Context\", \"Comment\"",
     "('Select', 'Tables', 'To retrieve rows from table')"},
    {"__millrace.show_routines",
     "\"Db\", \"Name\", \"Type\", \"Definer\", \"Modified\", \"Created\", \"Security_type\", \"Comment\", "
     "\"character_set_client\", \"collation_connection\", \"Database Collation\"",
     ""},
};

std::string fixed_view(const Fixed& fixed) {
  std::string rows = fixed.rows;
  std::string empty;
  if (rows.empty()) {
    int columns = 1;
    for (const char* c = fixed.columns; *c != '\0'; ++c) columns += *c == ',' ? 1 : 0;
    for (int i = 0; i < columns; ++i) rows += i == 0 ? "(''" : ", ''";
    rows += ")";
    empty = " WHERE false";
  }
  return fmt::format("CREATE OR REPLACE VIEW {0} AS SELECT * FROM (VALUES {1}) AS rows({2}){3}", fixed.name, rows,
                     fixed.columns, empty);
}

}  // namespace

const std::vector<std::string>& connection_settings() {
  static const std::vector<std::string> settings = {
      "SET TimeZone = 'UTC'",
      "SET default_null_order = 'nulls_first_on_asc_last_on_desc'",
      "SET ieee_floating_point_ops = false",  // 1/0 is NULL
      "SET order_by_non_integer_literal = true",
  };
  return settings;
}

const std::vector<std::string>& startup_macros() {
  static const std::vector<std::string> statements = [] {
    std::vector<std::string> out;
    for (const char* statement : kCatalogue) out.emplace_back(statement);
    for (const char* statement : kMacros) out.emplace_back(statement);
    for (auto& statement : catalogue_views()) out.push_back(std::move(statement));
    for (const char* statement : kKeyViews) out.emplace_back(statement);
    for (const auto& fixed : kFixed) out.push_back(fixed_view(fixed));
    return out;
  }();
  return statements;
}

}  // namespace millrace::sql::dialect
