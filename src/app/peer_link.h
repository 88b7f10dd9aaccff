// The way to other brokers' listeners: peer requests are Kafka requests of an api key of our own (broker/dispatch.h),
// so a broker needs one port for everything. A call has a connection to itself while it waits, because a connection is
// answered in order and a poll waits long; connections are used again.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/task.h"
#include "client/client.h"
#include "cluster/peers.h"

namespace millrace::app {

// One thread: the executor's. Calls under way when it goes end by themselves.
class PeerLink final : public cluster::Peers {
 public:
  PeerLink(Executor executor, Clock& clock);
  ~PeerLink() override;
  Task<Result<Slice>> call(std::string host, std::uint16_t port, Slice request, SteadyTime deadline) override;

 private:
  struct Shared;
  struct Call;
  static Task<void> run(std::shared_ptr<Shared> shared, std::shared_ptr<Call> call);

  Executor executor_;
  Clock& clock_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace millrace::app
