// The files of the page, embedded in the binary by page_files.S: no network is needed to look at it.
#pragma once

#include <string_view>

namespace millrace::console {

struct PageFile {
  std::string_view path;
  std::string_view content_type;
  std::string_view content;
};

// Null when the page has no such file.
const PageFile* find_page_file(std::string_view path);

}  // namespace millrace::console
