// Shell completion scripts, made from the command line's own description so that they cannot go stale.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace millrace::app {
// `shell`: bash, zsh or fish.
std::string completion_script(const CLI::App& app, const std::string& shell);
}  // namespace millrace::app
