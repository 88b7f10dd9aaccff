// Network: what lies between brokers, clients and the bucket. Messages are delayed, lost, or late; a link may be cut in
// one direction or both; whoever asks a machine that nobody listens on is refused. SimPeers is a broker's way to the
// others (cluster::Peers), over production's own `answer_peer`.
//
// A request that arrives runs to its end, whatever became of its asker; the answer of a killed or cut off machine never
// comes, or the connection breaks: kTimeout. kUnavailable only when it certainly did not arrive. All of it runs in the
// world's own place.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "cluster/peers.h"
#include "sim/world.h"

namespace millrace::sim {

struct Node;

// Who sends and receives: each broker process is a machine of its own; so are all clients together, and the bucket.
using Machine = int;
inline constexpr Machine kClients = 0, kBucket = -1;

// An answer on its way, and who waits for it (in the world's place).
template <class T>
struct Call {
  std::optional<T> answer;
  Event done;
  void give(T value) {
    if (answer) return;
    answer = std::move(value);
    done.set();
  }
};

// What becomes of one request and its answer; drawn when it is sent.
struct Trip {
  bool arrives = true, returns = true;
  Duration there{0}, back{0};
};

class Network {
 public:
  struct Weather {
    std::uint64_t lost_percent = 0, late_percent = 0;  // of requests, and of answers
    Duration delay_max = 1ms;
    Duration late_max = 20s;
  };

  explicit Network(World& world) : world_(world) {}
  Weather& weather() { return weather_; }

  // Whoever listens at an address: a process that is alive and open for requests.
  void listen(const std::shared_ptr<Node>& node);
  std::shared_ptr<Node> at(const std::string& host, std::uint16_t port) const;
  // Connections to a killed process break: now, or when their asker loses patience.
  void killed(Machine machine);

  // Nothing passes in this direction until it is healed.
  void cut(Machine from, Machine to) { cuts_.insert({from, to}); }
  void cut_both(Machine one, Machine other);
  void heal(Machine one, Machine other);
  void heal_all() {
    cuts_.clear();
    deaf_.clear();
  }
  // The machine hears nothing of the metadata: not from the bucket, where it can write its own log, nor from brokers.
  void deafen(Machine machine) { deaf_.insert(machine); }
  void undeafen(Machine machine) { deaf_.erase(machine); }
  bool deaf(Machine machine) const { return deaf_.contains(machine); }
  // Something does not reach it, or comes from it.
  bool troubles(Machine machine) const;
  bool passes(Machine from, Machine to) const { return !cuts_.contains({from, to}); }
  Trip trip(Machine from, Machine to);

  // A client's request: `deliver` runs in the world's place when it arrives, if it does.
  void send(const Trip& trip, std::move_only_function<void()> deliver);
  // And its answer.
  template <class T>
  void reply(const Trip& trip, std::shared_ptr<Call<T>> call, T value) {
    if (!trip.returns) return;
    world_.main().clock.call_at(world_.now() + trip.back,
                                [call, value = std::move(value)]() mutable { call->give(std::move(value)); });
  }

  // A peer's request; `patience` until its asker gives up.
  Task<Result<Slice>> ask(Machine from, std::string host, std::uint16_t port, Slice request, Duration patience);

  struct Counts {
    std::uint64_t asked = 0, refused = 0, lost = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  using PeerCall = Call<Result<Slice>>;
  Task<void> carry(Machine from, std::shared_ptr<Node> target, Slice request, Trip trip,
                   std::shared_ptr<PeerCall> call);
  static Task<void> serve(std::shared_ptr<Node> target, Slice request, std::shared_ptr<PeerCall> call);
  Duration delay();

  World& world_;
  Weather weather_;
  Counts counts_;
  std::set<std::pair<Machine, Machine>> cuts_;  // from, to
  std::set<Machine> deaf_;
  std::map<std::pair<std::string, std::uint16_t>, std::shared_ptr<Node>> listeners_;
  std::multimap<Machine, std::shared_ptr<PeerCall>> open_calls_;  // by who is asked
};

// The way of one broker process to the others.
class SimPeers final : public cluster::Peers {
 public:
  SimPeers(World& world, Network& network, Clock& clock, Machine self)
      : world_(world), network_(network), clock_(clock), self_(self) {}
  Task<Result<Slice>> call(std::string host, std::uint16_t port, Slice request, SteadyTime deadline) override;

 private:
  World& world_;
  Network& network_;
  Clock& clock_;
  Machine self_;
};

}  // namespace millrace::sim
