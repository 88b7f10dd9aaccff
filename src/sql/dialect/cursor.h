// A position in a statement's tokens, with the small questions that a recursive-descent parser asks.
// Never moves past the kEnd token.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "sql/dialect/lexer.h"

namespace millrace::sql::dialect {

class Cursor {
 public:
  // `source` outlives the cursor.
  Cursor(std::string_view source, std::vector<Token> tokens) : source_(source), tokens_(std::move(tokens)) {}

  const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  const Token& take() {
    const Token& token = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  std::size_t position() const { return at_; }
  void rewind(std::size_t position) { at_ = position; }
  bool at_end() const { return peek().kind == TokenKind::kEnd; }

  bool is(std::string_view word, std::size_t ahead = 0) const { return is_word(peek(ahead), word); }
  bool is_op(std::string_view op, std::size_t ahead = 0) const {
    return peek(ahead).kind == TokenKind::kOperator && peek(ahead).text == op;
  }
  bool is_name(std::size_t ahead = 0) const {
    return peek(ahead).kind == TokenKind::kWord || peek(ahead).kind == TokenKind::kQuotedName;
  }
  // All of `words` in a row; takes them all or none.
  bool accept(std::initializer_list<std::string_view> words) {
    std::size_t ahead = 0;
    for (const auto word : words) {
      if (!is(word, ahead++)) return false;
    }
    at_ += words.size();
    return true;
  }
  bool accept(std::string_view word) { return accept({word}); }
  bool accept_op(std::string_view op) {
    if (!is_op(op)) return false;
    take();
    return true;
  }
  Result<void> expect(std::string_view word) {
    if (accept(word)) return {};
    return fail(error("expected " + std::string(word)));
  }
  Result<void> expect_op(std::string_view op) {
    if (accept_op(op)) return {};
    return fail(error("expected '" + std::string(op) + "'"));
  }
  Result<std::string> name(std::string_view what) {
    if (!is_name()) return fail(error("expected " + std::string(what)));
    return take().text;
  }
  Result<std::string> string(std::string_view what) {
    if (peek().kind != TokenKind::kString) return fail(error("expected " + std::string(what) + " as a string"));
    return take().text;
  }

  Error error(std::string_view why) const { return syntax_error(source_, peek().begin, why); }
  // The source from the token at `from` up to the one before the current.
  std::string_view text_since(std::size_t from) const {
    if (at_ <= from) return {};
    return source_.substr(tokens_[from].begin, tokens_[at_ - 1].end - tokens_[from].begin);
  }
  std::string_view source() const { return source_; }

 private:
  std::string_view source_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

}  // namespace millrace::sql::dialect
