// Result rows on the wire: column definitions from the engine's columns, and cells as text or binary rows
// (MySQL 8.0 internals, "Text Resultset Row", "Binary Protocol Resultset Row"). Pure functions.
#pragma once

#include <string>

#include "sql/mysql/codec.h"
#include "sql/session.h"

namespace millrace::sql::mysql {

FieldDefinition field_of(const ColumnInfo& column);

// Each appends one row's payload.
void encode_text_row(std::string& out, const std::vector<ColumnInfo>& columns, const Chunk& chunk, std::size_t row);
void encode_binary_row(std::string& out, const std::vector<ColumnInfo>& columns, const Chunk& chunk, std::size_t row);

// A cell as MySQL prints it: "2024-01-31 10:00:00.5" keeps six digits, booleans are 0 and 1.
void append_cell_text(std::string& out, const ColumnInfo& column, const Cell& cell);

// Proleptic Gregorian date of days since 1970-01-01.
struct CivilDate {
  std::int64_t year;
  unsigned month, day;
};
CivilDate civil_of(std::int64_t days);

}  // namespace millrace::sql::mysql
