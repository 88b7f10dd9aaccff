#include <fmt/format.h>

#include <iterator>

#include "kafka/codec.h"
#include "kafka/walker.h"

namespace millrace::kafka {
namespace {

class JsonPrinter : public Walk {
 public:
  explicit JsonPrinter(std::int16_t version) : version_(version) {}
  std::string take() { return std::move(out_); }

  bool begin_field(std::string_view name, const Field& spec, bool) override {
    if (!spec.in(version_)) return false;
    comma();
    quote(name);
    out_ += ':';
    first_ = true;
    return true;
  }
  void end_field() override { first_ = false; }
  bool null(bool is_null) override {
    if (is_null) out_ += "null";
    return is_null;
  }
  std::size_t begin_array(std::size_t size, Kind) override {
    out_ += '[';
    first_ = true;
    return size;
  }
  void begin_element() override { comma(); }
  void end_array() override {
    out_ += ']';
    first_ = false;
  }
  void begin_struct(const std::type_info&) override {
    out_ += '{';
    first_ = true;
  }
  void end_struct() override {
    out_ += '}';
    first_ = false;
  }
  bool boolean(bool value) override {
    out_ += value ? "true" : "false";
    return value;
  }
  std::int64_t integer(std::int64_t value, int) override {
    fmt::format_to(std::back_inserter(out_), "{}", value);
    return value;
  }
  std::string_view text(std::string_view value, Kind kind) override {
    if (kind == Kind::kBytes) {
      fmt::format_to(std::back_inserter(out_), "\"<{} bytes>\"", value.size());
    } else {
      quote(value);
    }
    return value;
  }
  Slice records(const Slice& value) override {
    fmt::format_to(std::back_inserter(out_), "\"<{} bytes of records>\"", value.size());
    return value;
  }
  Uuid uuid(const Uuid& value) override {
    quote(value.to_string());
    return value;
  }

 private:
  void comma() {
    if (!first_) out_ += ',';
    first_ = false;
  }
  void quote(std::string_view text) {
    out_ += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += c;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        fmt::format_to(std::back_inserter(out_), "\\u{:04x}", static_cast<unsigned>(c));
      } else {
        out_ += c;
      }
    }
    out_ += '"';
  }

  std::int16_t version_;
  bool first_ = true;
  std::string out_;
};

}  // namespace

std::string print_json(std::int16_t version, void (*walk)(Walk&, void*), void* message) {
  JsonPrinter printer(version);
  walk(printer, message);
  return printer.take();
}

}  // namespace millrace::kafka
