#include "broker/reply_memory.h"

namespace millrace::broker {
namespace {

struct Lease {
  Lease(std::shared_ptr<std::size_t> held_in, std::size_t bytes_in) : held(std::move(held_in)), bytes(bytes_in) {
    *held += bytes;
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { *held -= bytes; }
  std::shared_ptr<std::size_t> held;
  std::size_t bytes;
};
struct Held {
  Slice piece;
  std::shared_ptr<void> lease;
};

}  // namespace

std::shared_ptr<void> ReplyMemory::take(std::size_t bytes) { return std::make_shared<Lease>(held_, bytes); }

SliceChain ReplyMemory::hold(SliceChain chain) {
  SliceChain out;
  if (chain.empty()) return out;
  const std::shared_ptr<void> lease = take(chain.size());
  for (const Slice& piece : chain.pieces()) {
    auto held = std::make_shared<Held>(Held{piece, lease});
    char* data = held->piece.mutable_data();
    out.append(Slice(std::move(held), data, piece.size()));
  }
  return out;
}

}  // namespace millrace::broker
