// `millrace cluster status|drain|move`: what an operator does to a running cluster. Exit codes as everywhere: 0 done, 1
// failed, 2 wrong usage, which a broker or partition that does not exist is. Blocks; for main().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace millrace::app {

struct ClusterFlags {
  std::string bootstrap = "127.0.0.1:9092";
  bool json = false;
  std::int32_t broker = -1;  // of drain
  bool undo = false;
  std::string partition;  // of move: TOPIC-PARTITION
  std::vector<std::string> topics;
  std::int32_t from = -1, to = -1;
  bool wait = false;
  int timeout_s = 300;

  CLI::App* status_verb = nullptr;
  CLI::App* drain_verb = nullptr;
  CLI::App* move_verb = nullptr;
};

void add_cluster_verbs(CLI::App& app, ClusterFlags& flags);
// After parsing: whether one of them was given.
bool is_cluster_verb(const ClusterFlags& flags);
int run_cluster_verb(const ClusterFlags& flags);

}  // namespace millrace::app
