// Clients: idempotent producers with the Java client's retry rules (the same batches with the same sequences, at most 5
// in flight, in order), consumers that read on and jump back, DeleteRecords, and administrators whose topics come and
// go. They find a partition's leader as Kafka's clients do: they ask any broker, believe no leader epoch older than the
// one they know (KIP-320), and ask again after NOT_LEADER or silence. Every answer goes through the checkers.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/checker.h"
#include "sim/fleet.h"

namespace millrace::sim {

using Model = std::shared_ptr<PartitionModel>;

class Clients {
 public:
  Clients(World& world, Network& network, Fleet& fleet, Violations& violations)
      : world_(world), network_(network), fleet_(fleet), violations_(violations) {}

  // Topics are created, with a producer, a consumer and somebody who deletes records for each partition, and deleted,
  // until end_storm().
  void begin(int topics_at_once);
  // Nothing new is asked; what is not acknowledged is repeated until it is.
  void end_storm() { storming_ = false; }
  // DeleteRecords and time queries much more often.
  void hurry() { hurry_ = true; }
  bool storming() const { return storming_; }
  bool idle() const { return producing_.empty() && tasks_ == 0; }
  // Partitions with batches that are not acknowledged yet.
  std::string waiting_for() const;

  Task<std::optional<Uuid>> create_topic(std::string name, std::int32_t partitions);
  // Its models expect nothing any more from now on; true when a broker said that it is gone.
  Task<bool> delete_topic(Uuid id);
  // Reads every partition from its log start to its end, and compares.
  Task<void> read_everything();

  const std::vector<Model>& models() const { return models_; }
  std::uint64_t acks() const;

 private:
  // Where a client believes the leader of a partition to be.
  struct Route {
    std::string host;
    std::uint16_t port = 0;
    std::int32_t epoch = -1;
    bool known = false;
    std::int32_t acked_by = -1;  // the newest epoch that acknowledged something to this client
  };
  struct Outgoing {
    std::int32_t sequence = 0;
    std::vector<std::string> records;
    bool acked = false;
  };
  struct Appended {
    std::optional<storage::AppendRefusal> refused;
    bool acked = false;
    std::int64_t base_offset = -1;
    std::int32_t epoch = -1;
  };
  struct ReadAnswer {
    std::optional<Result<storage::ReadResult>> read;  // nothing: not the leader
    std::int32_t epoch = -1;
  };
  struct TimeAnswer {
    std::optional<Result<std::optional<storage::TimedOffset>>> found;  // nothing: not the leader
    std::int32_t epoch = -1;
  };
  struct Leader {
    std::string host;
    std::uint16_t port = 0;
    std::int32_t epoch = -1;
  };
  using Window = std::deque<Outgoing>;
  using ReadOutcome = std::optional<Result<storage::ReadResult>>;

  Clock& clock() { return world_.main().clock; }
  Executor executor() { return world_.main().executor(); }
  std::shared_ptr<Node> anyone();
  Task<std::shared_ptr<Node>> find_leader(cluster::PartitionId id, Route& route);

  Task<void> produce(Model model, std::int64_t producer);
  Window new_window(std::int64_t producer, std::int32_t& sequence);
  Task<bool> send(PartitionModel& model, Route& route, std::int64_t producer, Window& window);
  bool judge(PartitionModel& model, Route& route, std::int64_t producer, Outgoing& out,
             const std::optional<Appended>& answer, bool first);
  Task<void> consume(Model model);
  Task<ReadOutcome> read(PartitionModel& model, Route& route, std::int64_t offset, std::size_t bytes);
  Task<void> ask_time(PartitionModel& model, Route& route);
  Task<void> delete_records(Model model);
  Task<void> topics_come_and_go(int topics_at_once);
  Task<void> read_all(Model model);

  // These run at the broker.
  static Task<void> at_append(std::shared_ptr<Node> node, Network& network, Trip trip, cluster::PartitionId id,
                              Slice batch, std::shared_ptr<Call<Appended>> call);
  static Task<void> at_read(std::shared_ptr<Node> node, Network& network, Trip trip, cluster::PartitionId id,
                            std::int64_t offset, std::size_t bytes, std::shared_ptr<Call<ReadAnswer>> call);
  static Task<void> at_ask_time(std::shared_ptr<Node> node, Network& network, Trip trip, cluster::PartitionId id,
                                std::shared_ptr<Call<TimeAnswer>> call);
  static Task<void> at_find(std::shared_ptr<Node> node, Network& network, Trip trip, cluster::PartitionId id,
                            std::shared_ptr<Call<std::optional<Leader>>> call);
  static Task<void> at_delete_records(std::shared_ptr<Node> node, Network& network, Trip trip, cluster::PartitionId id,
                                      std::int64_t offset, std::shared_ptr<Call<bool>> call);
  static Task<void> at_create(std::shared_ptr<Node> node, Network& network, Trip trip, cluster::NewTopicSpec spec,
                              std::shared_ptr<Call<std::optional<Uuid>>> call);
  static Task<void> at_delete_topic(std::shared_ptr<Node> node, Network& network, Trip trip, Uuid id,
                                    std::shared_ptr<Call<bool>> call);

  World& world_;
  Network& network_;
  Fleet& fleet_;
  Violations& violations_;
  std::vector<Model> models_;
  bool storming_ = true;
  bool hurry_ = false;
  std::map<std::int64_t, std::string> producing_;  // producers that have not emptied their window, and where they write
  int tasks_ = 0;
  std::int64_t producers_ = 0;
};

}  // namespace millrace::sim
