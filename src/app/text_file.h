// The few small files that the program itself reads and writes: connector files, the ready file.
#pragma once

#include <string>

#include "base/result.h"

namespace millrace::app {

Result<std::string> read_text_file(const std::string& path);
// Readers see the old content or all of the new.
Result<void> replace_text_file(const std::string& path, const std::string& content);

}  // namespace millrace::app
