// The small files that the program itself writes (the ready file); object/file_text.h reads them.
#pragma once

#include <string>

#include "base/result.h"

namespace millrace::app {

// Readers see the old content or all of the new.
Result<void> replace_text_file(const std::string& path, const std::string& content);

}  // namespace millrace::app
