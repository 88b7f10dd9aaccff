// Result<T> is how every fallible function of Millrace answers: a value or an Error.
//
// An Error's Code is chosen by what the caller has to do next, not by where it happened; the message
// is for people and gains context on the way up (`Error::with`). Exceptions exist only inside adapters
// (DuckDB, Asio, std) and become an Error there. Wire codes (Kafka, MySQL, HTTP) are made from Codes by
// one table per door.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace millrace {

enum class Code {
  kInvalid,      // the caller's input is wrong; repeating it cannot help
  kNotFound,     // the thing named does not exist
  kExists,       // the thing named exists already, or a precondition did not hold
  kUnsupported,  // understood, but not built or not allowed here
  kDenied,       // not permitted: credentials or rights
  kUnavailable,  // passing trouble: repeat with back-off
  kTimeout,      // the outcome is unknown: repeat the same bytes or give the role up
  kExhausted,    // a bound was reached (memory, disk, queue): slow down, then repeat
  kFenced,       // a newer owner exists: stop, never repeat under the old identity
  kCorrupt,      // stored or received bytes break their format
  kCancelled,    // the caller asked to stop
  kInternal,     // a bug or a broken environment
};

std::string_view to_string(Code code);

class [[nodiscard]] Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  // "unavailable: opening wal slot 7: connection refused"
  std::string to_string() const;
  // The same error with `context` put before its message.
  Error with(std::string_view context) && {
    message_.insert(0, ": ");
    message_.insert(0, context);
    return std::move(*this);
  }
  bool retriable() const { return code_ == Code::kUnavailable || code_ == Code::kTimeout || code_ == Code::kExhausted; }

 private:
  Code code_;
  std::string message_;
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Code code, std::string message) {
  return std::unexpected<Error>(Error(code, std::move(message)));
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

}  // namespace millrace

#define MILLRACE_CONCAT_(a, b) a##b
#define MILLRACE_CONCAT(a, b) MILLRACE_CONCAT_(a, b)

#define MILLRACE_TRY_(tmp, leave, declaration, expression)  \
  auto tmp = (expression);                                  \
  if (!tmp) leave ::millrace::fail(std::move(tmp).error()); \
  declaration = std::move(*tmp)
#define MILLRACE_TRY_VOID_(tmp, leave, expression) \
  if (auto tmp = (expression); !tmp) leave ::millrace::fail(std::move(tmp).error())

// TRY(auto page, read(3)): binds the value, or returns the error to this function's caller.
#define TRY(declaration, expression) MILLRACE_TRY_(MILLRACE_CONCAT(try_, __LINE__), return, declaration, expression)
#define TRY_VOID(expression) MILLRACE_TRY_VOID_(MILLRACE_CONCAT(try_, __LINE__), return, expression)
// The same inside a coroutine.
#define CO_TRY(declaration, expression) \
  MILLRACE_TRY_(MILLRACE_CONCAT(try_, __LINE__), co_return, declaration, expression)
#define CO_TRY_VOID(expression) MILLRACE_TRY_VOID_(MILLRACE_CONCAT(try_, __LINE__), co_return, expression)
