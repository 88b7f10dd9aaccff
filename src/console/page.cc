#include "console/page.h"

#include <array>
#include <cstddef>

extern "C" {
extern const char millrace_page_html[], millrace_page_html_end[];
extern const char millrace_page_css[], millrace_page_css_end[];
extern const char millrace_page_js[], millrace_page_js_end[];
}

namespace millrace::console {

const PageFile* find_page_file(std::string_view path) {
  const auto between = [](const char* begin, const char* end) {
    return std::string_view(begin, static_cast<std::size_t>(end - begin));
  };
  static const std::array<PageFile, 4> files{{
      {"/", "text/html; charset=utf-8", between(millrace_page_html, millrace_page_html_end)},
      {"/index.html", "text/html; charset=utf-8", between(millrace_page_html, millrace_page_html_end)},
      {"/page.css", "text/css; charset=utf-8", between(millrace_page_css, millrace_page_css_end)},
      {"/page.js", "text/javascript; charset=utf-8", between(millrace_page_js, millrace_page_js_end)},
  }};
  for (const auto& file : files) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

}  // namespace millrace::console
