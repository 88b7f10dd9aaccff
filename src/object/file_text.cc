#include "object/file_text.h"

#include <cerrno>
#include <cstring>
#include <fstream>

namespace millrace::object {

Result<std::string> read_file_text(const std::string& path) {
  constexpr std::size_t kTextBytesMax = 1 << 20;
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    const int why = errno;
    return fail(why == ENOENT || why == ENOTDIR ? Code::kNotFound : Code::kDenied,
                "cannot read '" + path + "': " + std::strerror(why));
  }
  std::string text(kTextBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return fail(Code::kDenied, "cannot read '" + path + "'");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kTextBytesMax) return fail(Code::kInvalid, "'" + path + "' is larger than 1 MiB");
  return text;
}

}  // namespace millrace::object
