// Any text as a statement: split, counted, bound and translated.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sql/dialect/translate.h"

using namespace millrace::sql::dialect;  // NOLINT: a fuzz target is nothing else

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  (void)split_statements(text);
  (void)count_parameters(text);
  (void)bind_parameters(text, {"1", "'x'"});
  Context context;
  context.database = "shop";
  context.loose_group_by = data[0] % 2 == 1;
  (void)translate(text, context);
  return 0;
}
