// MySQL's lexical structure: what the text of a statement falls into (MySQL 8.0 manual, chapter 9).
//
// Comments vanish, except that /*!NNNNN .. */ is unwrapped; optimiser hints /*+ .. */ vanish too. Never
// throws; kInvalid "You have an error in your SQL syntax; ..." for unterminated strings and comments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::sql::dialect {

enum class TokenKind {
  kWord,            // an identifier or keyword as written
  kQuotedName,      // `name`, or "name" under ANSI_QUOTES; text is unquoted
  kString,          // text is the value
  kNumber,          // 12, 1.5, 1e3, .5
  kBytes,           // x'4142', 0x4142, b'01'; text is the bytes
  kParameter,       // ?
  kSystemVariable,  // @@name, @@global.name: text is "name" or "scope.name", lower case
  kUserVariable,    // @name: text is "name", lower case
  kOperator,        // one of the longest that fits: <=> && || << >> <= >= <> != := -> ->> or a single character
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  std::size_t begin = 0, end = 0;  // where it stands in the source
};

struct LexOptions {
  bool ansi_quotes = false;
};

// Ends with a kEnd token. The tokens do not refer to `source`.
Result<std::vector<Token>> lex(std::string_view source, LexOptions options = {});

// Case-insensitive comparison of ASCII; `upper` is in upper case.
bool is_word(const Token& token, std::string_view upper);
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);

// Error 1064 with the rest of the text at `at`, as MySQL words it.
Error syntax_error(std::string_view source, std::size_t at, std::string_view why);

// 'text' with quotes doubled, and "name" for DuckDB.
std::string quote_literal(std::string_view text);
std::string quote_name(std::string_view name);

}  // namespace millrace::sql::dialect
