// Peers between brokers of one process and thread, for tests.
#pragma once

#include <map>
#include <set>
#include <string>

#include "cluster/api.h"

namespace millrace::cluster::test {

// Calls between nodes of one thread; a node that is cut off neither asks nor answers.
class TestPeers final : public Peers {
 public:
  TestPeers(std::map<std::uint16_t, Cluster*>& nodes, std::set<std::uint16_t>& cut_off, std::uint16_t own)
      : nodes_(nodes), cut_off_(cut_off), own_(own) {}
  Task<Result<Slice>> call(std::string, std::uint16_t port, Slice request, SteadyTime) override {
    co_await yield_now();
    const auto node = nodes_.find(port);
    if (node == nodes_.end() || cut_off_.contains(port) || cut_off_.contains(own_)) {
      co_return fail(Code::kUnavailable, "connection refused");
    }
    Result<Slice> answer = co_await node->second->answer_peer(std::move(request));
    if (cut_off_.contains(port) || cut_off_.contains(own_)) co_return fail(Code::kTimeout, "connection reset");
    co_return answer;
  }

 private:
  std::map<std::uint16_t, Cluster*>& nodes_;
  std::set<std::uint16_t>& cut_off_;
  std::uint16_t own_;
};

}  // namespace millrace::cluster::test
