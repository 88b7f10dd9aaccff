// ReplyMemory: the bytes of Fetch answers that are read and not yet sent, over all connections. A record batch counts
// until the last Slice of it that a reply holds is gone: it was written to the socket, or the connection died. When
// little is left, Fetch answers shorter (handlers/fetch.cc); nobody waits, so a consumer that does not read its socket
// cannot stop others. The in-memory tail of a log, which replies share, counts here as well. One thread.
#pragma once

#include <cstddef>
#include <memory>

#include "base/bytes.h"

namespace millrace::broker {

class ReplyMemory {
 public:
  explicit ReplyMemory(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  std::size_t bytes() const { return *held_; }
  std::size_t left() const { return bytes_max_ > *held_ ? bytes_max_ - *held_ : 0; }
  // Counted while the lease lives.
  std::shared_ptr<void> take(std::size_t bytes);
  // The same bytes, counted while any Slice of them lives.
  SliceChain hold(SliceChain chain);

 private:
  std::size_t bytes_max_;
  std::shared_ptr<std::size_t> held_ = std::make_shared<std::size_t>(0);  // leases may outlive the broker
};

}  // namespace millrace::broker
