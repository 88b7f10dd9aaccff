// Debezium 3.7's change events of one table version: keys, values, tombstones and headers as the
// JsonConverter writes them, with or without schemas.
//
// Pure. A table version is the columns of one snapshot SELECT or of one Relation message, joined with what only
// the catalog knows (NOT NULL, defaults, primary key). Events of one change come in the order they must land.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cdc/api.h"
#include "cdc/config.h"
#include "cdc/pgoutput.h"
#include "cdc/type_map.h"
#include "client/client.h"

namespace millrace::cdc {

struct ColumnInfo {
  std::string name;
  std::uint32_t type_oid = 0;
  std::int32_t typmod = -1;
  bool not_null = false;
  std::string default_expression;  // empty: none
};

struct TableInfo {
  std::uint32_t oid = 0;
  std::string schema, name;
  std::vector<ColumnInfo> columns;  // in the table's order
  std::vector<std::string> key;     // primary key, else a unique index over NOT NULL columns, else empty
};

// Where an event comes from.
struct Origin {
  std::int64_t source_us = 0;  // commit time; of a snapshot, its start
  std::string_view snapshot = "false";
  std::optional<Lsn> sequence_first;  // end of the transaction before; none right after a snapshot
  Lsn lsn = 0;
  std::int64_t xid = 0;
  std::string_view origin_name;  // empty: none
  Lsn origin_lsn = 0;
  std::int64_t now_us = 0;
};

std::string topic_name(std::string_view prefix, std::string_view schema, std::string_view table);

class EventTable {
 public:
  // Fails (kUnsupported) naming table and column for what neither Debezium nor we can write.
  static Result<std::unique_ptr<EventTable>> make(const ConnectorConfig& config, const TypeRegistry& types,
                                                  const TableInfo& info, std::vector<client::Header> context_headers);

  const std::string& topic() const { return topic_; }
  std::size_t column_count() const { return columns_.size(); }
  // Columns that are left out of the events, as Debezium leaves them out.
  const std::vector<std::string>& left_out() const { return left_out_; }
  const TableShape& shape() const { return shape_; }

  client::Record read(const std::vector<TupleColumn>& row, const Origin& origin) const;
  client::Record create(const std::vector<TupleColumn>& row, const Origin& origin) const;
  // Appends one record, or three when the key changed (delete, tombstone, create).
  void update(char old_kind, const std::vector<TupleColumn>& old_row, std::vector<TupleColumn>& new_row,
              const Origin& origin, std::vector<client::Record>& out) const;
  // Appends the delete and its tombstone.
  void remove(char old_kind, const std::vector<TupleColumn>& old_row, const Origin& origin,
              std::vector<client::Record>& out) const;

 private:
  struct Column {
    std::string label;                 // "name":
    std::unique_ptr<Encoder> encoder;  // none: left out
    std::string null_json;             // what NULL is written as: null, or the default
    std::string missing_json;          // the same in a key-only row: also fillers
  };
  enum class Row { kWhole, kKeyOnly };
  EventTable() = default;
  void append_column(std::string& out, const Column& column, const TupleColumn& value, Row kind) const;
  void append_row(std::string& out, const std::vector<TupleColumn>& row, Row kind) const;
  std::optional<std::string> key_of(const std::vector<TupleColumn>& row) const;
  void append_source(std::string& out, const Origin& origin) const;
  std::string value(char op, const std::vector<TupleColumn>* before, Row before_kind,
                    const std::vector<TupleColumn>* after, const Origin& origin) const;
  client::Record record(std::optional<std::string> key, std::optional<std::string> value) const;
  void build_schemas(const ConnectorConfig& config, const std::vector<std::string>& column_schemas,
                     const std::vector<std::string>& key_schemas);

  std::string topic_;
  TableShape shape_;
  bool tombstones_ = true;
  std::vector<Column> columns_;
  std::vector<std::size_t> key_;  // indexes of columns_, in key order
  std::vector<std::string> left_out_;
  std::vector<client::Header> headers_;
  std::string key_schema_, value_schema_;  // {"schema":..,"payload": or nothing
  std::string source_start_, source_db_, source_table_;
};

}  // namespace millrace::cdc
