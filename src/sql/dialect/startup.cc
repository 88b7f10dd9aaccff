#include "sql/dialect/startup.h"

namespace millrace::sql::dialect {

const std::vector<std::string>& connection_settings() {
  static const std::vector<std::string> settings = {
      "SET TimeZone = 'UTC'", "SET default_null_order = 'nulls_first_on_asc_last_on_desc'",
      "SET ieee_floating_point_ops = false",  // 1/0 is NULL
  };
  return settings;
}

const std::vector<std::string>& startup_macros() {
  static const std::vector<std::string> statements = {
      "CREATE SCHEMA IF NOT EXISTS __millrace",
      "CREATE TABLE IF NOT EXISTS __millrace.primary_keys(table_schema VARCHAR, table_name VARCHAR, "
      "column_name VARCHAR, ordinal INTEGER)",
      "CREATE TABLE IF NOT EXISTS __millrace.definitions(object_schema VARCHAR, object_name VARCHAR, kind VARCHAR, "
      "mysql_text VARCHAR, comment VARCHAR)",
  };
  return statements;
}

}  // namespace millrace::sql::dialect
