#include "sim/scenarios.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace millrace::sim {
namespace {

constexpr Duration kFailover = 40s;  // detection, recovery and the clients' own patience

// ---- zombies ----

// Across fence, recovery and compaction by others; then it goes on, with requests from before in its hands.
Task<void> paused_leader(Stage& stage) {
  co_await stage.open(3, 3);
  const auto leader = co_await stage.some_leader();
  stage.world.pause(*leader->place, 60s);
  co_await stage.expect_progress(kFailover, "a leader was paused");
  co_await stage.wait(40s);
}

// Its own broker id serves again, elsewhere, before it goes on.
Task<void> paused_and_replaced(Stage& stage) {
  co_await stage.open(static_cast<int>(1 + stage.world.below(3)), 2);
  const auto leader = co_await stage.some_leader();
  stage.world.pause(*leader->place, 25s);
  stage.fleet.start_twin(leader->options.broker_id);
  co_await stage.expect_progress(kFailover, "a leader was paused and its twin started");
  co_await stage.wait(10s);
}

// It can write its log and serves clients, but hears nothing of the metadata.
Task<void> deaf_leader(Stage& stage) {
  co_await stage.open(3, 3);
  const auto leader = co_await stage.some_leader();
  stage.network.deafen(leader->machine);
  co_await stage.expect_progress(2 * kFailover, "a leader hears nothing of the metadata");
  stage.network.undeafen(leader->machine);
  co_await stage.wait(10s);
}

// ---- PUTs ----

// PUTs take effect, their answers are lost; they are repeated when a successor has sealed the log.
Task<void> lost_answers(Stage& stage) {
  co_await stage.open(3, 3);
  for (int round = 0; round < 3; ++round) {
    const auto leader = co_await stage.some_leader();
    stage.network.cut(kBucket, leader->machine);
    if (stage.world.chance(50)) stage.fleet.start_twin(leader->options.broker_id);
    co_await stage.wait(stage.world.up_to(12s));
    stage.network.heal(kBucket, leader->machine);
    co_await stage.wait(3s);
  }
}

Task<void> kill_leaders(Stage& stage, int times, Duration between) {
  for (int i = 0; i < times; ++i) {
    co_await stage.wait(stage.world.up_to(between));
    const auto leader = co_await stage.some_leader();
    stage.fleet.kill(*leader);
  }
}

// PUTs land long after their sender gave up or died, before or after the Seal.
Task<void> late_puts(Stage& stage) {
  co_await stage.open(3, 3);
  stage.bucket.options().late_apply = 0.3;
  stage.bucket.options().late_max = 20s;
  co_await kill_leaders(stage, 6, 6s);
}

// Of many PUTs under way some never arrive: recovery meets a hole with later slots behind it.
Task<void> holes(Stage& stage) {
  co_await stage.open(2, 3);
  stage.bucket.options().lost_request = 0.4;
  stage.bucket.options().slow = 0.3;
  co_await kill_leaders(stage, 6, 5s);
}

// Two processes recover the same logs at once.
Task<void> two_recoverers(Stage& stage) {
  co_await stage.open(2, 3);
  for (int round = 0; round < 4; ++round) {
    const auto leader = co_await stage.some_leader();
    stage.fleet.kill(*leader);
    co_await stage.wait(stage.world.up_to(1s));
    stage.fleet.start_twin(leader->options.broker_id);
    co_await stage.wait(stage.world.up_to(4s));
  }
}

// ---- the controller ----

// Between a read and a PUT, until the entries around it are collected.
Task<void> paused_controller(Stage& stage) {
  co_await stage.open(3, 3);
  const auto controller = stage.controller();
  if (controller) stage.world.pause(*controller->place, 40s);
  for (int i = 0; i < 60; ++i) {
    const std::string name = fmt::format("many{}", i);
    const auto made = co_await stage.clients.create_topic(name, 1);
    if (made) co_await stage.clients.delete_topic(*made);
  }
  co_await stage.wait(10s);
}

// Controllers die as soon as they are seen, while another broker is behind.
Task<void> racing_claims(Stage& stage) {
  co_await stage.open(4, 3);
  for (int round = 0; round < 6; ++round) {
    co_await stage.until([&stage] { return stage.controller() != nullptr; }, 20s);
    const auto controller = stage.controller();
    const auto nodes = stage.fleet.alive();
    const auto behind = nodes.empty() ? nullptr : nodes[stage.world.below(nodes.size())];
    if (behind && behind != controller) stage.world.pause(*behind->place, stage.world.up_to(6s));
    co_await stage.wait(stage.world.up_to(300ms));
    if (controller) stage.fleet.kill(*controller);
  }
  co_await stage.expect_progress(kFailover, "controllers died one after the other");
}

// It reaches the bucket, but no other broker.
Task<void> lonely_controller(Stage& stage) {
  co_await stage.open(3, 3);
  const auto controller = stage.controller();
  if (controller) {
    for (const auto& node : stage.fleet.alive()) {
      if (node != controller) stage.network.cut_both(controller->machine, node->machine);
    }
  }
  co_await stage.wait(30s);
  stage.network.heal_all();
  co_await stage.expect_progress(kFailover, "the controller was cut off");
}

// ---- the bucket ----

// One that does not find what is there, while logs are recovered. Brokers may refuse to start, never lose a record.
Task<void> stale_404(Stage& stage) {
  co_await stage.open(3, 3);
  stage.fleet.options().may_refuse = true;
  stage.broken.breaks(StoreBreak::kStale404);
  co_await kill_leaders(stage, 5, 4s);
  stage.broken.breaks(StoreBreak::kNone);
  co_await stage.wait(5s);
}

// Ten minutes of 503 begin when everything has to be recovered.
Task<void> long_store_storm(Stage& stage) {
  co_await stage.open(3, 2);
  stage.fleet.kill_all();
  stage.bucket.options().conflict = 0.98;
  co_await stage.wait(600s);
  stage.bucket.options().conflict = 0;
  co_await stage.expect_progress(2 * kFailover, "ten minutes of 503");
}

// A broker that its clients reach and the bucket does not, then the reverse.
Task<void> half_reachable(Stage& stage) {
  co_await stage.open(3, 3);
  const auto storeless = co_await stage.some_leader();
  stage.network.cut_both(storeless->machine, kBucket);
  co_await stage.expect_progress(2 * kFailover, "a leader cannot reach the bucket");
  stage.network.heal_all();
  co_await stage.wait(5s);
  const auto lonely = co_await stage.some_leader();
  for (const auto& node : stage.fleet.alive()) {
    if (node != lonely) stage.network.cut_both(lonely->machine, node->machine);
  }
  stage.network.cut_both(lonely->machine, kClients);
  co_await stage.expect_progress(kFailover, "a leader reaches the bucket alone");
}

std::vector<std::string> snapshots(const Stage& stage) {
  std::vector<std::string> keys;
  for (const auto& [key, object] : stage.memory.objects()) {
    if (key.starts_with("meta/snap/")) keys.push_back(key);
  }
  return keys;
}

// The newest snapshot of the metadata is damaged: the one before it and a longer replay must do.
Task<void> damaged_snapshot(Stage& stage) {
  co_await stage.open(2, 3);
  const std::function<bool()> two = [&stage] { return snapshots(stage).size() >= 2; };
  co_await stage.until(two, 90s);
  co_await stage.wait(stage.world.up_to(10s));
  for (std::int32_t id = 1; id <= 2; ++id) stage.fleet.hold_down(id);
  stage.fleet.kill_all();
  if (const auto all = snapshots(stage); all.size() >= 2) {
    const std::string& newest = all.back();
    std::string bytes(stage.memory.objects().at(newest).body.view());
    bytes[stage.world.below(bytes.size())] ^= 1;
    SliceChain body;
    body.append(Slice::of(std::move(bytes)));
    std::vector<std::string> names(1, newest);
    const auto removed = co_await stage.memory.remove(std::move(names));
    const auto put = co_await stage.memory.put_if_absent(newest, body);
    if (!removed || !put) stage.violations.add("the snapshot could not be damaged");
  }
  for (std::int32_t id = 1; id <= 2; ++id) stage.fleet.release(id);
  co_await stage.expect_progress(kFailover, "a damaged snapshot");
}

// ---- processes and clocks ----

Task<void> jumping_clock(Stage& stage) {
  co_await stage.open(3, 3);
  stage.fleet.options().drift_ppm_max = 100'000;
  for (int i = 0; i < 15; ++i) {
    const auto leader = co_await stage.some_leader();
    leader->place->clock.skew += stage.world.up_to(2h) - Duration(1h);
    co_await stage.wait(2s);
    if (stage.world.chance(20)) stage.fleet.kill(*leader);
  }
  co_await stage.expect_progress(kFailover, "clocks jumped");
}

// From the bucket alone, again before that is done.
Task<void> cold_starts(Stage& stage) {
  co_await stage.open(3, 3);
  for (int round = 0; round < 4; ++round) {
    stage.fleet.kill_all();
    co_await stage.wait(stage.world.up_to(6s));
  }
  co_await stage.expect_progress(kFailover, "everything was killed");
}

Task<void> twins(Stage& stage) {
  co_await stage.open(2, 3);
  for (int round = 0; round < 5; ++round) {
    stage.fleet.start_twin(static_cast<std::int32_t>(1 + stage.world.below(2)));
    co_await stage.wait(stage.world.up_to(5s));
  }
  stage.fleet.kill_twins();
  co_await stage.expect_progress(kFailover, "twins were started");
}

// ---- topics and moves ----

// Deleted and created again under its name, while answers and requests are late.
Task<void> same_name(Stage& stage) {
  co_await stage.open(2, 1);
  stage.network.weather().delay_max = 500ms;
  stage.network.weather().late_percent = 10;
  for (int round = 0; round < 8; ++round) {
    const auto made = co_await stage.clients.create_topic("again", 2);
    co_await stage.wait(stage.world.up_to(3s));
    if (made) co_await stage.clients.delete_topic(*made);
  }
}

// Compaction, retention and DeleteRecords at their fastest, beside reads and time queries.
Task<void> compaction_races(Stage& stage) {
  stage.clients.hurry();
  co_await stage.open(2, 4);
  stage.bucket.options().slow = 0.2;
  stage.bucket.options().slow_max = 500ms;
  co_await stage.wait(25s);
}

void move_all(Stage& stage, Node& asked, const std::shared_ptr<Node>& from, std::int32_t to) {
  std::vector<cluster::Record> records;
  for (const auto& model : stage.clients.models()) {
    if (!model->gone && stage.leader_of(*model) == from)
      records.emplace_back(cluster::MovePartitionRecord{model->id(), to});
  }
  if (!records.empty()) asked.commit(std::move(records));
}

// All partitions leave a live leader that hears the bucket late, or not at all for a while.
Task<void> forced_moves(Stage& stage) {
  co_await stage.open(3, 3);
  for (int round = 0; round < 4; ++round) {
    const auto leader = co_await stage.some_leader();
    const auto to = static_cast<std::int32_t>(1 + static_cast<std::uint64_t>(leader->options.broker_id) % 3);
    const auto asked = stage.controller();
    stage.network.cut(kBucket, leader->machine);
    if (asked) move_all(stage, *asked, leader, to);
    co_await stage.wait(stage.world.up_to(5s));
    stage.network.heal(kBucket, leader->machine);
    co_await stage.expect_progress(kFailover, "partitions were moved");
  }
}

// What clients reach of brokers 1 to 3.
void leave_clients_only(Stage& stage, const Node& node, bool cut) {
  for (std::int32_t id = 1; id <= 3; ++id) {
    const auto other = stage.fleet.broker(id);
    if (!other || other->machine == node.machine) continue;
    if (cut) {
      stage.network.cut(kClients, other->machine);
    } else {
      stage.network.heal(kClients, other->machine);
    }
  }
}

// Releases take effect, their answers are lost, and the leader hears nothing of the metadata for longer than it waits
// for them; nobody fences it, and clients reach nobody else (rule 11).
Task<void> lost_releases(Stage& stage) {
  stage.fleet.options().session_timeout = 60s;
  co_await stage.open(3, 3);
  for (int round = 0; round < 6; ++round) {
    const auto asked = stage.controller();
    const auto leader = co_await stage.some_leader();
    if (!asked || asked == leader || !leader->open) {
      co_await stage.wait(300ms);
      continue;
    }
    const auto to = static_cast<std::int32_t>(1 + static_cast<std::uint64_t>(leader->options.broker_id) % 3);
    move_all(stage, *asked, leader, to);
    const std::function<bool()> told = [leader] { return leader->dead() || !leader->cluster->state().moves().empty(); };
    const std::function<bool()> released = [&stage, leader] {
      return std::ranges::none_of(stage.clients.models(),
                                  [&](const auto& model) { return !model->gone && stage.leader_of(*model) == leader; });
    };
    co_await stage.until(told, 5s);
    stage.network.cut(asked->machine, leader->machine);
    leave_clients_only(stage, *leader, true);
    co_await stage.until(released, 25s);  // behind what is under way already
    stage.network.deafen(leader->machine);
    co_await stage.wait(25s);
    stage.network.undeafen(leader->machine);
    stage.network.heal(asked->machine, leader->machine);
    leave_clients_only(stage, *leader, false);
    co_await stage.expect_progress(kFailover, "answers to Releases were lost");
  }
}

// One broker after the other leaves in good order and comes back, twice.
Task<void> rolling_restart(Stage& stage) {
  co_await stage.open(3, 3);
  for (int round = 0; round < 6; ++round) {
    const auto id = static_cast<std::int32_t>(1 + round % 3);
    const auto node = stage.fleet.broker(id);
    if (node) node->leave(15s);
    const std::function<bool()> back = [&stage, node, id] {
      const auto now = stage.fleet.broker(id);
      return now && now != node && now->open;
    };
    const bool returned = co_await stage.until(back, 60s);
    if (!returned) stage.violations.add(fmt::format("broker {} is not back 60 s after it was told to leave", id));
    co_await stage.expect_progress(10s, "a broker left in good order");
  }
}

using Leaders = std::map<cluster::PartitionId, std::int32_t>;

Leaders leaders(const Stage& stage) {
  Leaders all;
  for (const auto& model : stage.clients.models()) {
    const auto leader = model->gone ? nullptr : stage.leader_of(*model);
    if (leader) all[model->id()] = leader->options.broker_id;
  }
  return all;
}

bool alike(const Leaders& leaders, int brokers) {
  std::map<std::int32_t, std::size_t> led;
  for (const auto& [partition, broker] : leaders) ++led[broker];
  std::size_t most = 0, least = leaders.size();
  for (int id = 1; id <= brokers; ++id) {
    most = std::max(most, led[id]);
    least = std::min(least, led[id]);
  }
  return most <= least + 2;
}

// What a broker lost while it was away comes back to it when it joins, within a minute, and no partition moves twice.
Task<void> joining_brokers(Stage& stage) {
  co_await stage.open(3, 5, true);
  const auto id = static_cast<std::int32_t>(1 + stage.world.below(3));
  stage.fleet.hold_down(id);
  if (const auto node = stage.fleet.broker(id)) stage.fleet.kill(*node);
  const std::function<bool()> others_lead = [&stage, id] {
    return std::ranges::none_of(leaders(stage), [id](const auto& led) { return led.second == id; });
  };
  co_await stage.until(others_lead, kFailover);
  stage.fleet.release(id);
  const std::function<bool()> joined = [&stage] { return stage.fleet.all_open(); };
  co_await stage.until(joined, kFailover);
  Leaders last = leaders(stage);
  std::map<cluster::PartitionId, int> moves;
  for (int second = 0; second < 150; ++second) {
    co_await stage.wait(1s);
    if (second == 60 && !alike(leaders(stage), 3))
      stage.violations.add(fmt::format("broker {} is back for 60 s, and leads too little", id));
    for (const auto& [partition, leader] : leaders(stage)) {
      const auto before = std::exchange(last[partition], leader);
      if (before != 0 && before != leader && ++moves[partition] == 2)
        stage.violations.add("a partition was moved twice although nothing changed");
    }
  }
}

// ---- disks ----

// A volume is mounted on another host while its holder is suspended or cut off, and can still write to it.
Task<void> moved_volume(Stage& stage) {
  co_await stage.open(3, 3);
  for (int round = 0; round < 3; ++round) {
    const auto holder = co_await stage.some_leader();
    if (!holder->options.volume) continue;
    const auto way = stage.world.below(3);
    if (way == 0) stage.world.pause(*holder->place, stage.world.up_to(25s));
    if (way == 1) stage.network.cut_both(holder->machine, kBucket);
    for (const auto& node : stage.fleet.alive()) {
      if (way != 0 && node != holder) stage.network.cut_both(holder->machine, node->machine);
    }
    const auto taker = stage.fleet.move_volume(holder->options.broker_id);
    co_await stage.wait(12s + stage.world.up_to(10s));
    stage.network.heal_all();
    co_await stage.wait(stage.world.up_to(5s));
    stage.fleet.kill(*taker);
    co_await stage.wait(3s);
  }
  co_await stage.expect_progress(2 * kFailover, "volumes were moved");
}

// Hosts lose power in the middle of writes, and disks report errors.
Task<void> power_losses(Stage& stage) {
  co_await stage.open(2, 3);
  stage.fleet.options().power_fails = true;
  for (int round = 0; round < 8; ++round) {
    const auto leader = co_await stage.some_leader();
    if (auto* volume = leader->options.volume) {
      volume->options().latency_max = stage.world.up_to(20ms);
      if (stage.world.chance(50)) volume->fail_next_sync();
      if (stage.world.chance(30)) volume->die_at_step(1 + stage.world.below(8));
    }
    co_await stage.wait(stage.world.up_to(3s));
    stage.fleet.kill(*leader);
  }
  co_await stage.expect_progress(kFailover, "power was lost");
}

// No room for another segment, for longer than a leader waits.
Task<void> full_disks(Stage& stage) {
  co_await stage.open(2, 3);
  for (int round = 0; round < 3; ++round) {
    const auto leader = co_await stage.some_leader();
    auto* volume = leader->options.volume;
    if (!volume) continue;
    volume->options().capacity = volume->bytes();
    co_await stage.wait(stage.world.up_to(20s));
    volume->options().capacity = ~std::uint64_t{0};
    co_await stage.expect_progress(kFailover, "a disk was full");
  }
}

}  // namespace

const std::vector<Scenario>& all_scenarios() {
  static const std::vector<Scenario> scenarios = {
      {"paused-leader", "a leader is paused across fence, recovery and compaction (T1)", paused_leader},
      {"paused-and-replaced", "the same, and its broker id serves elsewhere (T1, T13)", paused_and_replaced},
      {"deaf-leader", "a leader writes its log and hears nothing of the metadata (T1)", deaf_leader},
      {"lost-answers", "PUTs take effect, answers are lost, repeated after the Seal (T2)", lost_answers},
      {"late-puts", "PUTs land after their sender gave up (T3)", late_puts},
      {"holes", "a hole among the slots under way, the Seal lands in it (T4)", holes},
      {"two-recoverers", "two processes recover the same logs (T5)", two_recoverers},
      {"paused-controller", "the controller is paused beyond the log's collection (T6)", paused_controller},
      {"racing-claims", "claims race, claimants die, one is behind (T7)", racing_claims},
      {"lonely-controller", "the controller reaches the bucket, but no broker (T7, T11)", lonely_controller},
      {"stale-404", "the bucket does not find what is there (T8)", stale_404},
      {"long-store-storm", "503 for ten minutes, in recovery (T9)", long_store_storm},
      {"jumping-clock", "wall clocks jump by an hour, steady clocks drift (T10)", jumping_clock},
      {"half-reachable", "a broker reaches its clients but not the bucket, and the reverse (T11)", half_reachable},
      {"cold-starts", "all brokers die at once, and start from the bucket (T12)", cold_starts},
      {"twins", "the same broker id is started twice (T13)", twins},
      {"damaged-snapshot", "the newest snapshot is damaged (T15)", damaged_snapshot},
      {"same-name", "a topic is deleted and created again (T17)", same_name},
      {"compaction-races", "compaction beside reads, deletes and time queries (T18)", compaction_races},
      {"rolling-restart", "brokers leave in good order, one after the other", rolling_restart},
      {"lost-releases", "a leader never hears that its Releases were committed", lost_releases},
      {"joining-brokers", "brokers die and join again, and the balancer rests", joining_brokers, WalMix::kBucket},
      {"moved-volume", "a disk WAL is opened elsewhere while its holder lives", moved_volume, WalMix::kDisk},
      {"power-losses", "hosts of disk WALs lose power, syncs fail", power_losses, WalMix::kDisk},
      {"full-disks", "disks of WALs are full for a while", full_disks, WalMix::kDisk},
      {"forced-moves", "partitions leave a live, slow leader (T20)", forced_moves},
  };
  return scenarios;
}

const Scenario* find_scenario(const std::string& name) {
  for (const auto& scenario : all_scenarios()) {
    if (scenario.name == name) return &scenario;
  }
  return nullptr;
}

}  // namespace millrace::sim
