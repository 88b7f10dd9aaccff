// How a broker asks the controller, which is a broker too. The cluster room knows no sockets: the app brings a way to
// the other brokers' listeners (app/peer_link.h), tests and the simulation their own.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"

namespace millrace::cluster {

class Peers {
 public:
  virtual ~Peers() = default;
  // One request (peer_codec.h) to the broker at host:port, and its answer. kUnavailable: certainly not delivered.
  // kTimeout: it may have been; `deadline` passed or the connection broke. Any number at once, one thread.
  virtual Task<Result<Slice>> call(std::string host, std::uint16_t port, Slice request, SteadyTime deadline) = 0;
};

}  // namespace millrace::cluster
