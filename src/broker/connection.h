// One Kafka connection: frames in, responses out in the order of their requests.
//
// Requests are started in arrival order and overlap; how many and how many bytes is bounded, per connection and
// over all of them (Admission): beyond, nothing is read. A Fetch waits until the answer to the one before it was sent,
// so what a client does not read is bounded by one answer. A frame that breaks the protocol, or a request that
// closes a connection (dispatch.h), ends this connection only: what was asked before is still answered.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/byte_budget.h"
#include "base/task.h"
#include "broker/buffer_pool.h"
#include "broker/dispatch.h"
#include "broker/framer.h"
#include "broker/services.h"
#include "net/tcp.h"

namespace millrace::broker {

// Bytes of requests in work over all connections. One thread.
class Admission {
 public:
  Admission(std::size_t bytes_max, BrokerMetrics& metrics) : budget_(bytes_max), metrics_(metrics) {}
  // Waits for room; a request larger than all room is let in alone.
  Task<void> enter(std::size_t bytes);
  void leave(std::size_t bytes);
  std::size_t bytes() const { return budget_.bytes(); }
  std::size_t requests() const { return requests_; }

 private:
  ByteBudget budget_;
  BrokerMetrics& metrics_;
  std::size_t requests_ = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Services& services, TaskScope& scope, Admission& admission, BufferPool& buffers,
             std::unique_ptr<net::Stream> stream);

  // Serves until either side closes and nothing is in work any more.
  Task<void> serve();
  // Takes no more requests; closes once those in work are answered.
  void drain();
  void abort();
  // Nothing came, went or was in work since then.
  SteadyTime idle_since() const { return active_at_; }
  bool idle() const { return slots_.empty(); }
  // Its client does not take what we send.
  bool stuck() const { return writing_; }
  const net::Address& peer() const { return stream_->peer(); }

 private:
  // The place of a response in the order of requests.
  struct Slot {
    bool done = false;
    bool closes = false;
    bool fetch = false;
    std::optional<SliceChain> response;
  };

  Task<Result<void>> read_requests();
  Task<void> admit(std::size_t bytes, bool fetch);
  static Task<void> work(std::shared_ptr<Connection> self, std::shared_ptr<Slot> slot, Slice frame);
  static Task<void> write_loop(std::shared_ptr<Connection> self);
  SliceChain take_ready(std::size_t& count, std::size_t& fetches);

  Services& services_;
  TaskScope& scope_;
  Admission& admission_;
  std::unique_ptr<net::Stream> stream_;
  Framer framer_;
  std::string client_host_;
  std::deque<std::shared_ptr<Slot>> slots_;
  std::size_t unsent_bytes_ = 0;  // of responses that are ready
  std::size_t fetches_ = 0;       // in work, or answered and not sent
  Event ready_;                   // the first response is, or reading ended
  Event progress_;                // a slot or unsent bytes went
  Event finished_;
  bool reading_ = true;
  bool writing_ = false;
  bool draining_ = false;
  bool broken_ = false;  // the stream failed or was closed: no more writing
  SteadyTime active_at_{};
};

}  // namespace millrace::broker
