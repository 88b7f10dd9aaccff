// What the object room may learn of its surroundings: environment variables, through a function that the program hands
// in. An empty function is an empty environment. Called on the store's thread and on the BlockingPool, when a store is
// opened and when credentials are looked for.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::object {

// Nothing when the variable is not set or empty.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

inline std::optional<std::string> variable(const Environment& environment, std::string_view name) {
  return environment ? environment(name) : std::nullopt;
}

}  // namespace millrace::object
