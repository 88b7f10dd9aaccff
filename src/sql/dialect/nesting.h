// Bounds recursion while parsing: a client's parentheses must not use up the stack.
#pragma once

#include "sql/dialect/select.h"

namespace millrace::sql::dialect {

// Calls of the deepest cycle, not parentheses: each of those takes about three.
constexpr int kDepthMax = 400;

class SelectTranslator::Nesting {
 public:
  explicit Nesting(int& depth) : depth_(depth) { ++depth_; }
  ~Nesting() { --depth_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
  bool too_deep() const { return depth_ > kDepthMax; }

 private:
  int& depth_;
};

}  // namespace millrace::sql::dialect
