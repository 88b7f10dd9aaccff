#include "sql/dialect/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace millrace::sql::dialect {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class Lexer {
 public:
  Lexer(std::string_view source, LexOptions options) : source_(source), options_(options) {}

  Result<std::vector<Token>> run() {
    while (true) {
      TRY_VOID(skip_blanks());
      if (at_ >= source_.size()) break;
      TRY_VOID(token());
    }
    push(TokenKind::kEnd, {}, at_);
    return std::move(tokens_);
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }
  void push(TokenKind kind, std::string text, std::size_t begin) {
    tokens_.push_back({kind, std::move(text), begin, at_});
  }

  Result<void> skip_blanks() {
    while (at_ < source_.size()) {
      const char c = peek();
      if (is_space(c)) {
        ++at_;
      } else if (c == '#' || (c == '-' && peek(1) == '-' && (is_space(peek(2)) || at_ + 2 >= source_.size()))) {
        while (at_ < source_.size() && source_[at_] != '\n') ++at_;
      } else if (c == '/' && peek(1) == '*') {
        if (peek(2) == '!') {
          at_ += 3;
          while (is_digit(peek())) ++at_;
          ++unwrapped_;
          continue;
        }
        const auto end = source_.find("*/", at_ + 2);
        if (end == std::string_view::npos) return fail(syntax_error(source_, at_, "a comment that never ends"));
        at_ = end + 2;
      } else if (unwrapped_ > 0 && c == '*' && peek(1) == '/') {
        --unwrapped_;
        at_ += 2;
      } else {
        break;
      }
    }
    return {};
  }

  Result<void> token() {
    const char c = peek();
    const std::size_t begin = at_;
    if (c == '\'' || (c == '"' && !options_.ansi_quotes)) return string(c);
    if (c == '`' || c == '"') return quoted_name(c);
    if ((c == 'x' || c == 'X' || c == 'b' || c == 'B') && peek(1) == '\'') return bytes_literal();
    if ((c == 'n' || c == 'N') && peek(1) == '\'') {
      ++at_;
      return string('\'');
    }
    if (c == '0' && peek(1) == 'x' && hex_value(peek(2)) >= 0) return hex_number();
    const bool after_dot = !tokens_.empty() && tokens_.back().kind == TokenKind::kOperator &&
                           tokens_.back().text == "." && tokens_.back().end == begin;
    if ((is_digit(c) && !after_dot) || (c == '.' && is_digit(peek(1)) && !after_name(begin))) return number();
    if (c == '@') return variable();
    if (c == '?') {
      ++at_;
      push(TokenKind::kParameter, "?", begin);
      return {};
    }
    if (is_name_char(c)) {
      while (at_ < source_.size() && is_name_char(source_[at_])) ++at_;
      push(TokenKind::kWord, std::string(source_.substr(begin, at_ - begin)), begin);
      return {};
    }
    return operator_();
  }

  // In "t.1a" the point belongs to the name.
  bool after_name(std::size_t begin) const {
    return !tokens_.empty() && tokens_.back().end == begin &&
           (tokens_.back().kind == TokenKind::kWord || tokens_.back().kind == TokenKind::kQuotedName);
  }

  Result<void> string(char quote) {
    const std::size_t begin = at_++;
    std::string text;
    while (true) {
      if (at_ >= source_.size()) return fail(syntax_error(source_, begin, "a string that never ends"));
      const char c = source_[at_++];
      if (c == quote) {
        if (peek() != quote) break;
        text.push_back(quote);
        ++at_;
      } else if (c == '\\') {
        if (at_ >= source_.size()) return fail(syntax_error(source_, begin, "a string that never ends"));
        append_escaped(text, source_[at_++]);
      } else {
        text.push_back(c);
      }
    }
    // 'a' 'b' is one string.
    if (!tokens_.empty() && tokens_.back().kind == TokenKind::kString) {
      tokens_.back().text += text;
      tokens_.back().end = at_;
    } else {
      push(TokenKind::kString, std::move(text), begin);
    }
    return {};
  }

  static void append_escaped(std::string& text, char c) {
    switch (c) {
      case '0': text.push_back('\0'); break;
      case 'b': text.push_back('\b'); break;
      case 'n': text.push_back('\n'); break;
      case 'r': text.push_back('\r'); break;
      case 't': text.push_back('\t'); break;
      case 'Z': text.push_back('\x1a'); break;
      case '%':
      case '_': text.append({'\\', c}); break;  // kept for LIKE
      default: text.push_back(c);
    }
  }

  Result<void> quoted_name(char quote) {
    const std::size_t begin = at_++;
    std::string text;
    while (true) {
      if (at_ >= source_.size()) return fail(syntax_error(source_, begin, "a quoted name that never ends"));
      const char c = source_[at_++];
      if (c == quote) {
        if (peek() != quote) break;
        ++at_;
      }
      text.push_back(c);
    }
    push(TokenKind::kQuotedName, std::move(text), begin);
    return {};
  }

  Result<void> bytes_literal() {
    const std::size_t begin = at_;
    const bool hex = (source_[at_] | 0x20) == 'x';
    const auto end = source_.find('\'', at_ + 2);
    if (end == std::string_view::npos) return fail(syntax_error(source_, begin, "a literal that never ends"));
    const std::string_view digits = source_.substr(at_ + 2, end - at_ - 2);
    at_ = end + 1;
    return push_bytes(digits, hex ? 4 : 1, begin);
  }

  Result<void> hex_number() {
    const std::size_t begin = at_;
    at_ += 2;
    while (hex_value(peek()) >= 0) ++at_;
    return push_bytes(source_.substr(begin + 2, at_ - begin - 2), 4, begin);
  }

  Result<void> push_bytes(std::string_view digits, unsigned bits_per_digit, std::size_t begin) {
    std::string text;
    const std::size_t per_byte = 8 / bits_per_digit;
    std::size_t missing = (per_byte - digits.size() % per_byte) % per_byte;  // leading zeros
    unsigned byte = 0;
    for (const char c : digits) {
      const int value = hex_value(c);
      if (value < 0 || value >= 1 << bits_per_digit) return fail(syntax_error(source_, begin, "a bad digit"));
      byte = byte << bits_per_digit | static_cast<unsigned>(value);
      if (++missing == per_byte) {
        text.push_back(static_cast<char>(byte));
        byte = 0;
        missing = 0;
      }
    }
    push(TokenKind::kBytes, std::move(text), begin);
    return {};
  }

  Result<void> number() {
    const std::size_t begin = at_;
    while (is_digit(peek())) ++at_;
    bool plain = true;
    if (peek() == '.') {
      plain = false;
      ++at_;
      while (is_digit(peek())) ++at_;
    }
    const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if ((peek() | 0x20) == 'e' && is_digit(peek(1 + sign))) {
      plain = false;
      at_ += 2 + sign;
      while (is_digit(peek())) ++at_;
    }
    if (plain && is_name_char(peek())) {  // 1st_place is a name
      while (is_name_char(peek())) ++at_;
      push(TokenKind::kWord, std::string(source_.substr(begin, at_ - begin)), begin);
      return {};
    }
    push(TokenKind::kNumber, std::string(source_.substr(begin, at_ - begin)), begin);
    return {};
  }

  Result<void> variable() {
    const std::size_t begin = at_++;
    const bool system = peek() == '@';
    if (system) ++at_;
    std::string text;
    if (!system && (peek() == '\'' || peek() == '"' || peek() == '`')) {
      TRY_VOID(quoted_name(peek()));
      text = std::move(tokens_.back().text);
      tokens_.pop_back();
    } else {
      while (is_name_char(peek()) || peek() == '.' || (system && peek() == '`')) {
        if (peek() != '`') text.push_back(peek());
        ++at_;
      }
    }
    if (text.empty()) return fail(syntax_error(source_, begin, "a variable without a name"));
    push(system ? TokenKind::kSystemVariable : TokenKind::kUserVariable, to_lower(text), begin);
    return {};
  }

  Result<void> operator_() {
    static constexpr std::array<std::string_view, 13> kLong = {
        "->>", "<=>", "&&", "||", "<<", ">>", "<=", ">=", "<>", "!=", ":=", "->", "::"};
    const std::size_t begin = at_;
    const auto rest = source_.substr(at_);
    const auto* found = std::ranges::find_if(kLong, [&](auto text) { return rest.starts_with(text); });
    const std::string_view text = found == kLong.end() ? rest.substr(0, 1) : *found;
    at_ += text.size();
    push(TokenKind::kOperator, std::string(text), begin);
    return {};
  }

  std::string_view source_;
  LexOptions options_;
  std::size_t at_ = 0;
  int unwrapped_ = 0;
  std::vector<Token> tokens_;
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

std::string doubled(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out.push_back(c);
    out.push_back(c);
  }
  out.push_back(quote);
  return out;
}

}  // namespace

Result<std::vector<Token>> lex(std::string_view source, LexOptions options) { return Lexer(source, options).run(); }

bool is_word(const Token& token, std::string_view wanted) {
  return token.kind == TokenKind::kWord && std::ranges::equal(token.text, wanted, {}, upper);
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

std::string to_upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), upper);
  return out;
}

Error syntax_error(std::string_view source, std::size_t at, std::string_view why) {
  const auto line = 1 + std::ranges::count(source.substr(0, at), '\n');
  return Error(Code::kInvalid, fmt::format("You have an error in your SQL syntax; {} near '{}' at line {}", why,
                                           source.substr(std::min(at, source.size()), 80), line));
}

std::string quote_literal(std::string_view text) {
  if (text.find('\0') == std::string_view::npos) return doubled(text, '\'');
  // DuckDB's parser ends at a zero byte.
  std::string out = "(";
  while (true) {
    const auto zero = text.find('\0');
    out += doubled(text.substr(0, zero), '\'');
    if (zero == std::string_view::npos) return out + ")";
    out += " || chr(0) || ";
    text.remove_prefix(zero + 1);
  }
}

std::string quote_name(std::string_view name) { return doubled(name, '"'); }

}  // namespace millrace::sql::dialect
