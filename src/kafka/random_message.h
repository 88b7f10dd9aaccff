// Fills a message with random values for one version: fields that the version lacks stay as they are. For
// property tests and fuzz seeds. The generator owns the bytes that string_views in messages point to.
#pragma once

#include <deque>
#include <string>

#include "base/random.h"
#include "kafka/codec.h"
#include "kafka/walker.h"

namespace millrace::kafka {

class RandomMessage : public Walk {
 public:
  explicit RandomMessage(Random& random) : random_(random) {}

  template <class M>
  M make(std::int16_t version) {
    version_ = version;
    depth_ = 0;
    M message;
    Codec<M>::walk(*this, message);
    return message;
  }

  bool begin_field(std::string_view, const Field& spec, bool) override {
    spec_ = spec;
    // Half of the tagged fields keep their default, which is written differently.
    return spec.in(version_) && !(spec.tagged() && random_.below(2) == 0);
  }
  void end_field() override {}
  bool null(bool) override { return version_ >= spec_.first_nullable && random_.below(3) == 0; }
  std::size_t begin_array(std::size_t, Kind) override { return ++depth_ > 3 ? 0 : random_.below(4); }
  void begin_element() override {}
  void end_array() override { --depth_; }
  void begin_struct(const std::type_info&) override {}
  void end_struct() override {}
  bool boolean(bool) override { return random_.below(2) == 1; }
  std::int64_t integer(std::int64_t, int bits) override {
    const auto value = static_cast<std::int64_t>(random_.next());
    return random_.below(2) == 0 ? value % 100 : value >> (64 - std::abs(bits));
  }
  std::string_view text(std::string_view, Kind) override {
    const std::size_t size = random_.below(8) == 0 ? 100 + random_.below(200) : random_.below(12);
    return kept_.emplace_back(size, static_cast<char>('a' + random_.below(26)));
  }
  Slice records(const Slice&) override { return Slice::copy_of(std::string(random_.below(60), 'r')); }
  Uuid uuid(const Uuid&) override { return Uuid::random(random_); }

 private:
  Random& random_;
  std::int16_t version_ = 0;
  int depth_ = 0;
  Field spec_;
  std::deque<std::string> kept_;
};

}  // namespace millrace::kafka
