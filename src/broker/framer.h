// Cuts a connection's byte stream into Kafka frames (a 4-byte length, then header and body) without
// copying them: each frame is a Slice of the buffer that it was received into.
//
// Pure: the caller reads from its socket into `space()`, says how much came with `received`, then takes
// frames with `next`. A length that is negative or above the limit makes `next` answer kInvalid, once and for
// all; no memory is taken for it. A frame that does not fit into the current buffer moves, with the part
// of it that came already, to a buffer that holds it whole. One thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "broker/buffer_pool.h"

namespace millrace::broker {

class Framer {
 public:
  Framer(BufferPool& pool, std::size_t frame_bytes_max) : pool_(pool), frame_bytes_max_(frame_bytes_max) {}

  // Where to read to: never empty.
  std::span<char> space();
  void received(std::size_t bytes);
  // The next whole frame, without its length; nothing when more must be received.
  Result<std::optional<Slice>> next();
  // Size of the frame that is being received, 0 when it is not known yet.
  std::size_t pending_frame_bytes() const;

 private:
  std::optional<std::size_t> announced() const;
  void make_room();

  BufferPool& pool_;
  std::size_t frame_bytes_max_;
  Slice buffer_;
  int size_class_ = 0;
  std::size_t begin_ = 0;         // first byte that is not part of a frame given out
  std::size_t end_ = 0;           // one past the last byte received
  std::size_t largest_read_ = 0;  // since this buffer was taken
};

}  // namespace millrace::broker
