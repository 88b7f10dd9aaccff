#include "sim/network.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/node.h"

namespace millrace::sim {

void Network::listen(const std::shared_ptr<Node>& node) { listeners_[{node->host, node->port}] = node; }

std::shared_ptr<Node> Network::at(const std::string& host, std::uint16_t port) const {
  const auto found = listeners_.find({host, port});
  return found != listeners_.end() && found->second->listens() ? found->second : nullptr;
}

void Network::killed(Machine machine) {
  const auto [begin, end] = open_calls_.equal_range(machine);
  for (auto at = begin; at != end; ++at) {
    if (world_.chance(50)) at->second->give(fail(Code::kTimeout, "connection reset by peer"));
  }
}

void Network::cut_both(Machine one, Machine other) {
  cut(one, other);
  cut(other, one);
}

bool Network::troubles(Machine machine) const {
  return deaf(machine) || std::any_of(cuts_.begin(), cuts_.end(), [machine](const auto& cut) {
           return cut.first == machine || cut.second == machine;
         });
}

void Network::heal(Machine one, Machine other) {
  cuts_.erase({one, other});
  cuts_.erase({other, one});
}

Duration Network::delay() {
  if (world_.chance(weather_.late_percent)) return world_.up_to(weather_.late_max);
  return world_.up_to(weather_.delay_max);
}

Trip Network::trip(Machine from, Machine to) {
  Trip trip;
  trip.arrives = passes(from, to) && !world_.chance(weather_.lost_percent);
  trip.returns = passes(to, from) && !world_.chance(weather_.lost_percent);
  trip.there = delay();
  trip.back = delay();
  if (!trip.arrives || !trip.returns) ++counts_.lost;
  return trip;
}

void Network::send(const Trip& trip, std::move_only_function<void()> deliver) {
  if (trip.arrives) world_.main().clock.call_at(world_.now() + trip.there, std::move(deliver));
}

Task<void> Network::serve(std::shared_ptr<Node> target, Slice request, std::shared_ptr<PeerCall> call) {
  Result<Slice> answer = co_await target->cluster->answer_peer(std::move(request));
  call->give(std::move(answer));
}

Task<void> Network::carry(Machine from, std::shared_ptr<Node> target, Slice request, Trip trip,
                          std::shared_ptr<PeerCall> call) {
  Clock& clock = world_.main().clock;
  if (!trip.arrives) co_return;
  co_await sleep_for(clock, trip.there);
  if (!target->listens()) {
    if (world_.chance(50)) call->give(fail(Code::kTimeout, "connection reset by peer"));
    co_return;
  }
  auto served = std::make_shared<PeerCall>();
  spawn_on(target->place->executor(), serve(target, std::move(request), served));
  co_await served->done.wait();
  if (!trip.returns || !passes(target->machine, from)) co_return;
  co_await sleep_for(clock, trip.back);
  call->give(std::move(*served->answer));
}

Task<Result<Slice>> Network::ask(Machine from, std::string host, std::uint16_t port, Slice request, Duration patience) {
  ++counts_.asked;
  Clock& clock = world_.main().clock;
  const SteadyTime deadline = clock.now() + patience;
  const auto target = deaf(from) ? nullptr : at(host, port);
  if (!target || deaf(target->machine)) {
    ++counts_.refused;
    // Either a machine says so, or nobody answers at all; but no request was sent.
    const Duration wait = world_.chance(50) ? world_.up_to(weather_.delay_max) : patience;
    co_await sleep_for(clock, std::min(wait, patience));
    co_return fail(Code::kUnavailable, fmt::format("{}:{}: connection refused", host, port));
  }
  // A new connection does not come about over a cut link; one that exists takes the request along.
  if (!passes(from, target->machine) && world_.chance(50)) {
    ++counts_.refused;
    co_await sleep_for(clock, patience);
    co_return fail(Code::kUnavailable, fmt::format("{}:{}: cannot connect", host, port));
  }
  auto call = std::make_shared<PeerCall>();
  const auto open = open_calls_.emplace(target->machine, call);
  const Trip way = trip(from, target->machine);
  spawn_on(world_.main().executor(), carry(from, target, std::move(request), way, call));
  const bool answered = co_await call->done.wait_until(clock, deadline);
  open_calls_.erase(open);
  if (!answered) call->answer = fail(Code::kTimeout, fmt::format("{}:{} did not answer in time", host, port));
  co_return *call->answer;
}

Task<Result<Slice>> SimPeers::call(std::string host, std::uint16_t port, Slice request, SteadyTime deadline) {
  const Duration patience = std::max<Duration>(deadline - clock_.now(), Duration::zero());
  auto job = [this, host, port, request, patience] { return network_.ask(self_, host, port, request, patience); };
  co_return co_await run_on(world_.main().executor(), job);
}

}  // namespace millrace::sim
