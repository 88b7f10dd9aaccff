#include "app/text_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace millrace::app {

Result<void> replace_text_file(const std::string& path, const std::string& content) {
  const std::string temporary = path + ".new";
  {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    file << content;
    file.flush();
    if (!file) return fail(Code::kDenied, "cannot write '" + temporary + "': " + std::strerror(errno));
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    return fail(Code::kDenied, "cannot write '" + path + "': " + std::strerror(errno));
  }
  return {};
}

}  // namespace millrace::app
