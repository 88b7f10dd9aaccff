// ClusterNode as its operators see it: what it knows of the brokers, and what the controller knows.
#include "cluster/node.h"

namespace millrace::cluster {
namespace {

constexpr Duration kDescribePatience = 1s;

}  // namespace

ClusterDescription ClusterNode::own_view() const {
  ClusterDescription description = describe_state(state());
  description.described_by = options_.broker_id;
  description.by_controller = controls_;
  if (!controls_) return description;
  for (auto& broker : description.brokers) {
    if (broker.id == options_.broker_id) {
      broker.heard_ms_ago = 0;
      broker.applied = state().applied();
      continue;
    }
    const auto heard = heard_.find(broker.id);
    if (heard == heard_.end() || heard->second.incarnation != broker.incarnation) continue;
    const Duration ago = clock_.now() - heard->second.when;
    broker.heard_ms_ago = std::chrono::duration_cast<std::chrono::milliseconds>(ago).count();
    broker.applied = heard->second.applied;
  }
  return description;
}

Task<ClusterDescription> ClusterNode::describe() {
  const auto endpoint = controls_ ? std::nullopt : controller();
  if (endpoint) {
    PeerRequest request;
    request.what = PeerDescribe{};
    const Endpoint at = *endpoint;
    Result<PeerAnswer> answer = co_await ask(at, std::move(request), kDescribePatience);
    if (answer && answer->status == PeerStatus::kOk && answer->description) {
      ClusterDescription theirs = std::move(*answer->description);
      co_return theirs;
    }
  }
  ClusterDescription mine = own_view();
  co_return mine;
}

}  // namespace millrace::cluster
