// Small files of settings that a person or an orchestrator wrote: profiles, tokens. Blocks: run it at start or on the
// BlockingPool.
#pragma once

#include <string>

#include "base/result.h"

namespace millrace::object {

// kNotFound when there is none, kDenied when it cannot be read, kInvalid above 1 MiB; all name the path.
Result<std::string> read_file_text(const std::string& path);

}  // namespace millrace::object
