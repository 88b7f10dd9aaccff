#include "base/result.h"

namespace millrace {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::kInvalid: return "invalid";
    case Code::kNotFound: return "not found";
    case Code::kExists: return "exists";
    case Code::kUnsupported: return "unsupported";
    case Code::kDenied: return "denied";
    case Code::kUnavailable: return "unavailable";
    case Code::kTimeout: return "timeout";
    case Code::kExhausted: return "exhausted";
    case Code::kFenced: return "fenced";
    case Code::kCorrupt: return "corrupt";
    case Code::kCancelled: return "cancelled";
    case Code::kInternal: return "internal";
  }
  return "unknown";
}

std::string Error::to_string() const {
  std::string text(millrace::to_string(code_));
  text += ": ";
  text += message_;
  return text;
}

}  // namespace millrace
