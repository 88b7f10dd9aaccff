// Prints the field lists of every message in src/kafka/messages, in the form that DumpSchemas.java prints for
// Kafka's own classes; `compare` in this directory says whether they are the same.
//   --names        only the names of the messages
//   --samples      random messages of every version as "NAME VERSION HEX", for RoundTrip.java
//   --seeds DIR    writes the corpora of src/kafka's fuzz targets: DIR/request_corpus and DIR/response_corpus
#include <cxxabi.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "kafka/codec.h"
#include "kafka/messages/all.h"
#include "kafka/random_message.h"
#include "kafka/walker.h"

namespace millrace::kafka {
namespace {

// Walks a fresh message with one element in each array, nothing null, for one version.
class FieldLister : public Walk {
 public:
  FieldLister(const MessageInfo& info, std::int16_t version, std::set<std::string>& facts)
      : info_(info), version_(version), facts_(facts) {}

  bool begin_field(std::string_view name, const Field& spec, bool nullable) override {
    const std::string path = prefix_ + std::string(name);
    if (!spec.in(version_)) {
      if (!spec.drop_silently) facts_.insert(fmt::format("strict {} {}", info_.name, path));
      return false;
    }
    path_ = path;
    spec_ = spec;
    nullable_ = nullable;
    array_ = false;
    return true;
  }
  void end_field() override {}
  bool null(bool) override { return false; }
  std::size_t begin_array(std::size_t, Kind) override {
    array_ = true;
    path_ += "[]";
    return 1;
  }
  void begin_element() override {}
  void end_array() override {}
  void begin_struct(const std::type_info& type) override {
    if (depth_++ == 0) return;
    print("struct");
    outer_.push_back(prefix_);
    prefix_ = path_ + ".";
    facts_.insert(fmt::format("struct {} {} {}", info_.name, prefix_, short_name(type)));
  }
  void end_struct() override {
    if (--depth_ == 0) return;
    prefix_ = outer_.back();
    outer_.pop_back();
  }
  bool boolean(bool value) override {
    default_is(value ? "true" : "false");
    print("boolean");
    return value;
  }
  std::int64_t integer(std::int64_t value, int bits) override {
    default_is(std::to_string(value));
    print(bits > 0 ? fmt::format("int{}", bits) : fmt::format("uint{}", -bits));
    return value;
  }
  std::string_view text(std::string_view value, Kind kind) override {
    if (!value.empty()) default_is(value);
    print(kind == Kind::kBytes ? "bytes" : "string");
    return value;
  }
  Slice records(const Slice& value) override {
    print("records");
    return value;
  }
  Uuid uuid(const Uuid& value) override {
    print("uuid");
    return value;
  }

 private:
  static std::string short_name(const std::type_info& type) {
    char* text = abi::__cxa_demangle(type.name(), nullptr, nullptr, nullptr);
    std::string name = text;
    std::free(text);
    return name.substr(name.rfind(':') + 1);
  }
  void default_is(std::string_view value) {
    if (!array_ && !nullable_) facts_.insert(fmt::format("default {} {} {}", info_.name, path_, value));
  }
  void print(std::string_view kind) {
    const bool nullable = nullable_ && version_ >= spec_.first_nullable;
    const bool sized = kind == "string" || kind == "bytes" || kind == "records";
    std::string compact = info_.flexible(version_) && (array_ || sized) ? " compact" : "";
    if (!compact.empty() && array_ && sized) compact += "+";
    const std::string tag = spec_.tagged() ? fmt::format(" tag={}", spec_.tag_number) : "";
    fmt::print("field {} v{} {} {}{}{}{}\n", info_.name, version_, path_, kind, nullable ? " nullable" : "", compact,
               tag);
  }

  const MessageInfo& info_;
  std::int16_t version_;
  std::set<std::string>& facts_;
  std::string prefix_, path_;
  std::vector<std::string> outer_;
  Field spec_;
  bool nullable_ = false, array_ = false;
  int depth_ = 0;
};

template <class M>
void list_fields() {
  const MessageInfo& info = M::kInfo;
  const bool never = info.flexible_since == kNeverFlexible;
  fmt::print("message {} key={} versions={}-{} flexible={}\n", info.name,
             info.api_key < 0 ? "none" : std::to_string(info.api_key), info.min_version, info.max_version,
             never ? "none" : std::to_string(info.flexible_since));
  std::set<std::string> facts;
  for (std::int16_t version = info.min_version; version <= info.max_version; ++version) {
    FieldLister lister(info, version, facts);
    M fresh;
    Codec<M>::walk(lister, fresh);
  }
  for (const auto& fact : facts) fmt::print("{}\n", fact);
}

void print_samples() {
  auto random = make_seeded_random(2);
  for_each_message([&]<class M>() {
    for (std::int16_t version = M::kInfo.min_version; version <= M::kInfo.max_version; ++version) {
      for (int i = 0; i < 10; ++i) {
        RandomMessage generator(*random);
        const auto bytes = encode(generator.make<M>(version), version)->flatten();
        fmt::print("{} {} ", M::kInfo.name, version);
        for (const unsigned char c : bytes.view()) fmt::print("{:02x}", c);
        fmt::print("\n");
      }
    }
  });
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

// One frame of the newest and of the oldest version of each API.
void write_seeds(const std::filesystem::path& dir) {
  auto random = make_seeded_random(1);
  AllRequests::for_each([&]<class M>() {
    for (const std::int16_t version : {M::kInfo.min_version, M::kInfo.max_version}) {
      RandomMessage generator(*random);
      const auto frame = encode_request({.api_version = version, .client_id = "me"}, generator.make<M>(version));
      write_file(dir / "request_corpus" / fmt::format("{}-{}", M::kInfo.name, version), frame->flatten().view());
    }
  });
  AllResponses::for_each([&]<class M>() {
    for (const std::int16_t version : {M::kInfo.min_version, M::kInfo.max_version}) {
      RandomMessage generator(*random);
      const auto frame = encode_response(1, version, generator.make<M>(version));
      std::string bytes{static_cast<char>(M::kInfo.api_key), static_cast<char>(version)};
      bytes += frame->flatten().view();
      write_file(dir / "response_corpus" / fmt::format("{}-{}", M::kInfo.name, version), bytes);
    }
  });
}

}  // namespace
}  // namespace millrace::kafka

int main(int argc, char** argv) {
  using namespace millrace::kafka;
  if (argc == 2 && std::string_view(argv[1]) == "--names") {
    for_each_message([]<class M>() { fmt::print("{}\n", M::kInfo.name); });
  } else if (argc == 2 && std::string_view(argv[1]) == "--samples") {
    print_samples();
  } else if (argc == 3 && std::string_view(argv[1]) == "--seeds") {
    write_seeds(argv[2]);
  } else {
    for_each_message([]<class M>() { list_fields<M>(); });
  }
}
