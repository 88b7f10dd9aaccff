#include "sql/dialect/variables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sql/dialect/lexer.h"

namespace millrace::sql::dialect {
namespace {

constexpr std::array<std::string_view, 12> kReadOnly = {"version",
                                                        "version_comment",
                                                        "version_compile_os",
                                                        "version_compile_machine",
                                                        "lower_case_table_names",
                                                        "license",
                                                        "hostname",
                                                        "port",
                                                        "server_uuid",
                                                        "system_time_zone",
                                                        "protocol_version",
                                                        "performance_schema"};

// Booleans: SET takes 1, ON and TRUE alike.
std::string normal_value(const std::string& current, std::string value) {
  const std::string upper = to_upper(value);
  if (current == "ON" || current == "OFF") {
    if (upper == "1" || upper == "TRUE" || upper == "ON") return "ON";
    if (upper == "0" || upper == "FALSE" || upper == "OFF") return "OFF";
  }
  return value;
}

}  // namespace

const std::map<std::string, std::string, std::less<>>& system_variables() {
  static const std::map<std::string, std::string, std::less<>> variables = {
      {"auto_increment_increment", "1"},
      {"auto_increment_offset", "1"},
      {"autocommit", "ON"},
      {"automatic_sp_privileges", "ON"},
      {"back_log", "1024"},
      {"basedir", "/"},
      {"big_tables", "OFF"},
      {"bind_address", "127.0.0.1"},
      {"bulk_insert_buffer_size", "8388608"},
      {"character_set_client", "utf8mb4"},
      {"character_set_connection", "utf8mb4"},
      {"character_set_database", "utf8mb4"},
      {"character_set_filesystem", "binary"},
      {"character_set_results", "utf8mb4"},
      {"character_set_server", "utf8mb4"},
      {"character_set_system", "utf8mb3"},
      {"character_sets_dir", ""},
      {"collation_connection", "utf8mb4_0900_ai_ci"},
      {"collation_database", "utf8mb4_0900_ai_ci"},
      {"collation_server", "utf8mb4_0900_ai_ci"},
      {"completion_type", "NO_CHAIN"},
      {"concurrent_insert", "AUTO"},
      {"connect_timeout", "10"},
      {"cte_max_recursion_depth", "1000"},
      {"default_authentication_plugin", "caching_sha2_password"},
      {"default_storage_engine", "millrace"},
      {"default_tmp_storage_engine", "millrace"},
      {"default_week_format", "0"},
      {"div_precision_increment", "4"},
      {"eq_range_index_dive_limit", "200"},
      {"event_scheduler", "OFF"},
      {"explicit_defaults_for_timestamp", "ON"},
      {"foreign_key_checks", "ON"},
      {"group_concat_max_len", "1048576"},
      {"gtid_mode", "OFF"},
      {"have_openssl", "DISABLED"},
      {"have_profiling", "NO"},
      {"have_query_cache", "NO"},
      {"have_ssl", "DISABLED"},
      {"hostname", "localhost"},
      {"identity", "0"},
      {"information_schema_stats_expiry", "0"},
      {"init_connect", ""},
      {"innodb_lock_wait_timeout", "50"},
      {"innodb_read_only", "OFF"},
      {"innodb_strict_mode", "ON"},
      {"insert_id", "0"},
      {"interactive_timeout", "28800"},
      {"join_buffer_size", "262144"},
      {"key_buffer_size", "8388608"},
      {"language", ""},
      {"last_insert_id", "0"},
      {"lc_messages", "en_US"},
      {"lc_time_names", "en_US"},
      {"license", "Apache-2.0"},
      {"local_infile", "OFF"},
      {"lock_wait_timeout", "31536000"},
      {"log_bin", "OFF"},
      {"long_query_time", "10.000000"},
      {"low_priority_updates", "OFF"},
      {"lower_case_file_system", "OFF"},
      {"lower_case_table_names", "2"},
      {"max_allowed_packet", "67108864"},
      {"max_connections", "1000"},
      {"max_execution_time", "0"},
      {"max_join_size", "18446744073709551615"},
      {"max_prepared_stmt_count", "16382"},
      {"max_sort_length", "1024"},
      {"max_user_connections", "0"},
      {"net_buffer_length", "16384"},
      {"net_read_timeout", "30"},
      {"net_retry_count", "10"},
      {"net_write_timeout", "60"},
      {"old_passwords", "0"},
      {"optimizer_switch", ""},
      {"parallel_fragment_exec_instance_num", "1"},
      {"performance_schema", "OFF"},
      {"pipeline_dop", "0"},
      {"port", "9030"},
      {"profiling", "OFF"},
      {"protocol_version", "10"},
      {"pseudo_thread_id", "0"},
      {"query_cache_size", "0"},
      {"query_cache_type", "OFF"},
      {"query_timeout", "0"},
      {"read_only", "OFF"},
      {"server_id", "1"},
      {"server_uuid", "00000000-0000-0000-0000-000000000001"},
      {"session_track_gtids", "OFF"},
      {"session_track_schema", "OFF"},
      {"session_track_state_change", "OFF"},
      {"session_track_system_variables", ""},
      {"session_track_transaction_info", "OFF"},
      {"show_old_temporals", "OFF"},
      {"skip_networking", "OFF"},
      {"skip_show_database", "OFF"},
      {"socket", ""},
      {"sort_buffer_size", "262144"},
      {"sql_auto_is_null", "OFF"},
      {"sql_big_selects", "ON"},
      {"sql_buffer_result", "OFF"},
      {"sql_log_bin", "OFF"},
      {"sql_log_off", "OFF"},
      {"sql_mode",
       "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
       "NO_ENGINE_SUBSTITUTION"},
      {"sql_notes", "ON"},
      {"sql_quote_show_create", "ON"},
      {"sql_require_primary_key", "OFF"},
      {"sql_safe_updates", "OFF"},
      {"sql_select_limit", "18446744073709551615"},
      {"sql_warnings", "OFF"},
      {"storage_engine", "millrace"},
      {"super_read_only", "OFF"},
      {"system_time_zone", "UTC"},
      {"table_definition_cache", "2000"},
      {"table_open_cache", "4000"},
      {"thread_cache_size", "9"},
      {"time_zone", "UTC"},
      {"timestamp", "0"},
      {"tls_version", ""},
      {"tmp_table_size", "16777216"},
      {"transaction_isolation", "REPEATABLE-READ"},
      {"transaction_read_only", "OFF"},
      {"tx_isolation", "REPEATABLE-READ"},
      {"tx_read_only", "OFF"},
      {"unique_checks", "ON"},
      {"updatable_views_with_limit", "YES"},
      {"version", "8.0.33-millrace"},
      {"version_comment", "Millrace"},
      {"version_compile_machine", "x86_64"},
      {"version_compile_os", "Linux"},
      {"wait_timeout", "28800"},
      {"warning_count", "0"},
      {"error_count", "0"},
      {"windowing_use_high_precision", "ON"},
  };
  return variables;
}

std::optional<std::string> variable_value(const Context& context, std::string_view name) {
  if (name == "warning_count") return fmt::format("{}", context.warnings.size());
  if (name == "pseudo_thread_id") return fmt::format("{}", context.connection_id);
  if (const auto set = context.variables.find(std::string(name)); set != context.variables.end()) return set->second;
  const auto& all = system_variables();
  const auto found = all.find(name);
  if (found == all.end()) return std::nullopt;
  return found->second;
}

Result<void> set_variable(Context& context, const std::string& name, const std::optional<std::string>& value) {
  const auto& all = system_variables();
  const auto found = all.find(name);
  if (found == all.end()) return fail(Code::kInvalid, fmt::format("Unknown system variable '{}'", name));
  if (std::ranges::find(kReadOnly, name) != kReadOnly.end()) {
    return fail(Code::kInvalid, fmt::format("Variable '{}' is a read only variable", name));
  }
  if (!value) {
    // character_set_results = NULL asks for results as they are stored.
    if (name == "character_set_results")
      context.variables[name] = "";
    else
      context.variables.erase(name);
    return {};
  }
  std::string normal = normal_value(found->second, *value);
  if (name == "time_zone" && to_upper(normal) != "UTC" && to_upper(normal) != "SYSTEM" && normal != "+00:00" &&
      normal != "+0:00") {
    return fail(Code::kUnsupported,
                fmt::format("time_zone '{}' is not supported: times are in UTC; use CONVERT_TZ in the query", normal));
  }
  context.variables[name] = std::move(normal);
  return {};
}

std::string engine_database(std::string_view mysql_name) {
  const std::string lower = to_lower(mysql_name);
  if (lower == "information_schema") return "__information_schema";
  if (lower == "mysql" || lower == "performance_schema" || lower == "sys") return "__mysql";
  return std::string(mysql_name);
}

std::string quote_user_value(std::string_view text) {
  const bool number =
      !text.empty() && text.size() < 19 &&
      text.find_first_not_of("0123456789", text[0] == '-' && text.size() > 1 ? 1 : 0) == std::string_view::npos;
  return number ? std::string(text) : quote_literal(text);
}

}  // namespace millrace::sql::dialect
