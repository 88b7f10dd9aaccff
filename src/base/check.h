// CHECK stays on in release builds: it guards invariants whose breach would corrupt data. It is for
// bugs only; bytes from users, clients or stores are answered with an Error (base/result.h), never a CHECK.
#pragma once

namespace millrace {
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
}  // namespace millrace

#define CHECK(expression) \
  (static_cast<bool>(expression) ? void(0) : ::millrace::check_failed(#expression, __FILE__, __LINE__))

#ifdef NDEBUG
#define DCHECK(expression) void(0)
#else
#define DCHECK(expression) CHECK(expression)
#endif
