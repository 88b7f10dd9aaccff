#include "app/cluster_commands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>

#include "app/cluster_link.h"
#include "app/cluster_status.h"
#include "base/event_loop.h"

namespace millrace::app {
namespace {

constexpr Duration kLookInterval = 300ms;

void say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

// The broker of that id, or what to say when there is none.
Result<const cluster::BrokerDescription*> find_broker(const cluster::ClusterDescription& cluster, std::int32_t id) {
  if (const auto* broker = cluster.broker(id)) return broker;
  std::vector<std::int32_t> ids;
  for (const auto& broker : cluster.brokers) ids.push_back(broker.id);
  return fail(Code::kNotFound, fmt::format("there is no broker {}; brokers are {}", id, fmt::join(ids, ", ")));
}

Result<const cluster::BrokerDescription*> find_live_broker(const cluster::ClusterDescription& cluster,
                                                           std::int32_t id) {
  TRY(const auto* broker, find_broker(cluster, id));
  if (broker->live) return broker;
  return fail(Code::kInvalid, fmt::format("broker {} is fenced: it leads no partition and can lead none until it is "
                                          "started again",
                                          id));
}

std::string count_of(std::uint64_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

// ---- status ----

Task<Result<void>> show_status(EventLoop& loop, const ClusterFlags& flags) {
  ClusterLink link(loop);
  CO_TRY_VOID(co_await link.open(flags.bootstrap));
  CO_TRY(const auto cluster, co_await link.describe());
  if (flags.json) {
    say(status_json(link.cluster_id(), cluster));
  } else {
    fmt::print("{}", status_text(link.cluster_id(), cluster));
  }
  co_return Result<void>();
}

// ---- drain ----

Result<void> may_drain(const cluster::ClusterDescription& cluster, std::int32_t id) {
  TRY_VOID(find_live_broker(cluster, id));
  const auto takes_over = [id](const auto& broker) { return broker.id != id && broker.live && !broker.draining; };
  if (std::ranges::any_of(cluster.brokers, takes_over)) return {};
  return fail(Code::kInvalid,
              fmt::format("no other broker is live and not draining: nobody could lead what broker {} leads", id));
}

Task<Result<void>> wait_until_drained(EventLoop& loop, ClusterLink& link, const ClusterFlags& flags) {
  const SteadyTime deadline = loop.clock().now() + std::chrono::seconds(flags.timeout_s);
  std::uint64_t told = ~std::uint64_t{0};
  for (;;) {
    CO_TRY(const auto cluster, co_await link.describe());
    const auto* broker = cluster.broker(flags.broker);
    if (!broker || !broker->live)
      co_return fail(Code::kUnavailable, fmt::format("broker {} was fenced before it was drained", flags.broker));
    if (!broker->draining)
      co_return fail(Code::kUnavailable, fmt::format("broker {} is not draining any more: it was started again, or "
                                                     "the drain was undone",
                                                     flags.broker));
    if (broker->partitions_led == 0) break;
    if (broker->partitions_led != told) say(count_of(broker->partitions_led, "partition") + " to go");
    told = broker->partitions_led;
    if (loop.clock().now() >= deadline) {
      co_return fail(Code::kTimeout, fmt::format("broker {} still leads {} after {} s; the drain goes on", flags.broker,
                                                 count_of(told, "partition"), flags.timeout_s));
    }
    co_await sleep_for(loop.clock(), kLookInterval);
  }
  say(fmt::format("broker {} leads no partition; it gets none until it is started again", flags.broker));
  co_return Result<void>();
}

Task<Result<void>> drain(EventLoop& loop, const ClusterFlags& flags) {
  ClusterLink link(loop);
  CO_TRY_VOID(co_await link.open(flags.bootstrap));
  CO_TRY(const auto cluster, co_await link.describe());
  if (flags.undo) {
    CO_TRY(const auto* broker, find_broker(cluster, flags.broker));
    if (!broker->draining) {
      say(fmt::format("broker {} is not draining", flags.broker));
      co_return Result<void>();
    }
    CO_TRY_VOID(co_await link.commit(cluster::DrainBrokerRecord{flags.broker, false}));
    say(fmt::format("broker {} may lead partitions again; what was moved stays where it is", flags.broker));
    co_return Result<void>();
  }
  CO_TRY_VOID(may_drain(cluster, flags.broker));
  const auto* broker = cluster.broker(flags.broker);
  if (!broker->draining) {
    CO_TRY_VOID(co_await link.commit(cluster::DrainBrokerRecord{flags.broker, true}));
  }
  say(fmt::format("broker {} is being drained of {}", flags.broker, count_of(broker->partitions_led, "partition")));
  if (!flags.wait) co_return Result<void>();
  co_return co_await wait_until_drained(loop, link, flags);
}

// ---- move ----

Result<ClusterLink::Move> parse_partition(const std::string& text) {
  const auto dash = text.rfind('-');
  ClusterLink::Move move;
  const char* end = text.data() + text.size();
  const bool has_dash = dash != std::string::npos && dash > 0;
  const auto parsed = std::from_chars(has_dash ? text.data() + dash + 1 : end, end, move.partition);
  if (!has_dash || parsed.ec != std::errc() || parsed.ptr != end || move.partition < 0)
    return fail(Code::kInvalid, fmt::format("'{}' is not TOPIC-PARTITION, such as orders-3", text));
  move.topic = text.substr(0, dash);
  return move;
}

Result<void> check_move_flags(const ClusterFlags& flags) {
  const bool many = flags.from >= 0 || flags.to >= 0 || !flags.topics.empty();
  if (many && !flags.partition.empty())
    return fail(Code::kInvalid, "give either TOPIC-PARTITION and BROKER_ID, or --from and --to");
  if (many && (flags.from < 0 || flags.to < 0))
    return fail(Code::kInvalid, "--from and --to are both needed to move many partitions");
  if (!many && (flags.partition.empty() || flags.broker < 0))
    return fail(Code::kInvalid, "give TOPIC-PARTITION and BROKER_ID, or --from and --to");
  if (many && flags.from == flags.to) return fail(Code::kInvalid, "--from and --to name the same broker");
  return {};
}

struct Moves {
  std::vector<ClusterLink::Move> partitions;
  std::int32_t to = -1;
};

Task<Result<Moves>> moves_asked(ClusterLink& link, const ClusterFlags& flags) {
  Moves moves;
  moves.to = flags.partition.empty() ? flags.to : flags.broker;
  if (!flags.partition.empty()) {
    CO_TRY(auto one, parse_partition(flags.partition));
    moves.partitions.push_back(std::move(one));
    co_return moves;
  }
  CO_TRY(const auto metadata, co_await link.topics(flags.topics));
  for (const auto& topic : metadata.topics) {
    if (topic.error_code != 0)
      co_return fail(Code::kNotFound, fmt::format("there is no topic '{}'", topic.name.value_or("")));
    for (const auto& partition : topic.partitions) {
      const bool leads = partition.leader_id == flags.from;
      if (leads) moves.partitions.push_back({topic.name.value_or(""), partition.partition_index});
    }
  }
  co_return moves;
}

// Of those asked, how many the target does not lead yet.
Task<Result<std::size_t>> moves_left(ClusterLink& link, const Moves& moves) {
  std::vector<std::string> names;
  for (const auto& move : moves.partitions) {
    if (std::ranges::find(names, move.topic) == names.end()) names.push_back(move.topic);
  }
  CO_TRY(const auto metadata, co_await link.topics(std::move(names)));
  std::size_t left = 0;
  for (const auto& move : moves.partitions) {
    const auto topic =
        std::ranges::find(metadata.topics, move.topic, [](const auto& t) { return t.name.value_or(""); });
    if (topic == metadata.topics.end() || topic->error_code != 0) continue;  // deleted meanwhile
    const auto partition =
        std::ranges::find(topic->partitions, move.partition, [](const auto& p) { return p.partition_index; });
    if (partition != topic->partitions.end() && partition->leader_id != moves.to) ++left;
  }
  co_return left;
}

Task<Result<void>> wait_until_moved(EventLoop& loop, ClusterLink& link, const Moves& moves, int timeout_s) {
  const SteadyTime deadline = loop.clock().now() + std::chrono::seconds(timeout_s);
  std::size_t told = moves.partitions.size() + 1;
  for (;;) {
    CO_TRY(const std::size_t left, co_await moves_left(link, moves));
    if (left == 0) break;
    if (left != told) say(count_of(left, "partition") + " to go");
    told = left;
    if (loop.clock().now() >= deadline) {
      co_return fail(Code::kTimeout, fmt::format("broker {} does not lead {} of them after {} s; see `millrace cluster "
                                                 "status`",
                                                 moves.to, left, timeout_s));
    }
    co_await sleep_for(loop.clock(), kLookInterval);
  }
  say(fmt::format("broker {} leads {}", moves.to, moves.partitions.size() == 1 ? "it" : "them"));
  co_return Result<void>();
}

Task<Result<void>> move(EventLoop& loop, const ClusterFlags& flags) {
  CO_TRY_VOID(check_move_flags(flags));
  ClusterLink link(loop);
  CO_TRY_VOID(co_await link.open(flags.bootstrap));
  CO_TRY(const auto cluster, co_await link.describe());
  if (flags.partition.empty()) CO_TRY_VOID(find_broker(cluster, flags.from));
  CO_TRY(const Moves moves, co_await moves_asked(link, flags));
  CO_TRY(const auto* target, find_live_broker(cluster, moves.to));
  if (target->draining) {
    co_return fail(Code::kInvalid,
                   fmt::format("broker {0} is draining; `millrace cluster drain {0} --undo` ends that", moves.to));
  }
  if (moves.partitions.empty()) {
    say(fmt::format("broker {} leads none of them: nothing to move", flags.from));
    co_return Result<void>();
  }
  CO_TRY_VOID(co_await link.move(moves.partitions, moves.to));
  const std::string what =
      moves.partitions.size() == 1 ? flags.partition : count_of(moves.partitions.size(), "partition");
  say(fmt::format("moving {} to broker {}", what.empty() ? "1 partition" : what, moves.to));
  if (!flags.wait) co_return Result<void>();
  co_return co_await wait_until_moved(loop, link, moves, flags.timeout_s);
}

Task<void> run_verb(EventLoop& loop, const ClusterFlags& flags, int& exit_code) {
  Result<void> done;
  if (*flags.status_verb) done = co_await show_status(loop, flags);
  if (*flags.drain_verb) done = co_await drain(loop, flags);
  if (*flags.move_verb) done = co_await move(loop, flags);
  if (done) co_return;
  std::fprintf(stderr, "millrace: %s\n", done.error().message().c_str());
  const bool usage = done.error().code() == Code::kInvalid || done.error().code() == Code::kNotFound;
  exit_code = usage ? 2 : 1;
}

}  // namespace

void add_cluster_verbs(CLI::App& app, ClusterFlags& flags) {
  auto* verb = app.add_subcommand("cluster", "Look at a running cluster and move its partitions");
  verb->require_subcommand(1);
  const auto add = [&](const char* name, const char* help) {
    auto* sub = verb->add_subcommand(name, help);
    sub->add_option("--bootstrap-server", flags.bootstrap, "HOST:PORT of any of its brokers; several with commas")
        ->capture_default_str()
        ->type_name("HOST:PORT[,..]");
    return sub;
  };
  const auto add_wait = [&](CLI::App* sub, const char* help) {
    sub->add_flag("--wait", flags.wait, help);
    sub->add_option("--timeout", flags.timeout_s, "seconds that --wait waits")
        ->capture_default_str()
        ->check(CLI::Range(1, 86'400));
  };
  flags.status_verb = add("status", "Brokers, controller, partitions without a leader, moves under way");
  flags.status_verb->add_flag("--json", flags.json, "for programs");

  flags.drain_verb = add("drain", "Move everything off a broker and give it nothing, until it is started again");
  flags.drain_verb->add_option("BROKER_ID", flags.broker, "as `millrace cluster status` shows it")->required();
  flags.drain_verb->add_flag("--undo", flags.undo, "let it lead partitions again");
  add_wait(flags.drain_verb, "until it leads no partition");

  flags.move_verb = add("move", "Have another broker lead a partition, or many");
  flags.move_verb->add_option("TOPIC-PARTITION", flags.partition, "such as orders-3");
  flags.move_verb->add_option("BROKER_ID", flags.broker, "who shall lead it");
  flags.move_verb->add_option("--from", flags.from, "instead: all partitions that this broker leads")
      ->type_name("BROKER_ID");
  flags.move_verb->add_option("--to", flags.to, "who shall lead them")->type_name("BROKER_ID");
  flags.move_verb->add_option("--topic", flags.topics, "of this topic only; repeatable")->type_name("NAME");
  add_wait(flags.move_verb, "until the target leads all of them");
}

bool is_cluster_verb(const ClusterFlags& flags) { return *flags.status_verb || *flags.drain_verb || *flags.move_verb; }

int run_cluster_verb(const ClusterFlags& flags) {
  EventLoop loop;
  int exit_code = 0;
  loop.run_until_done(run_verb(loop, flags, exit_code));
  return exit_code;
}

}  // namespace millrace::app
