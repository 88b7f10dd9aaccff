// For tests: a Task run to its end on a loop of its own.
#pragma once

#include <optional>
#include <utility>

#include "base/event_loop.h"
#include "base/result.h"

namespace millrace::object {

template <class T>
Result<T> wait_on(EventLoop& loop, Task<Result<T>> task) {
  std::optional<Result<T>> answer;
  const auto run = [](Task<Result<T>> inner, std::optional<Result<T>>& out) -> Task<void> {
    auto result = co_await std::move(inner);
    out.emplace(std::move(result));
  };
  loop.run_until_done(run(std::move(task), answer));
  return std::move(*answer);
}

}  // namespace millrace::object
