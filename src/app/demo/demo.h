// `millrace demo`: a private Postgres with a salon's bookings, captured into topics, live in SQL tables and
// four layered views, with a load generator and a page to watch. Needs no network.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace millrace::app {

struct DemoOptions {
  std::string directory = "./millrace-demo";
  long rows = 1'050'000;  // in all ten tables
  int rate = 100;         // transactions per second of the load generator; 0: none
  std::string kafka_listen = "127.0.0.1:9092";
  std::string mysql_listen = "127.0.0.1:9030";
  std::string http_listen = "127.0.0.1:8080";
  std::string ready_file;
  std::string log_level = "warn";
  bool print_views = false;  // the views' SQL, for Postgres, and nothing else
};

void add_demo_flags(CLI::App& app, DemoOptions& options);
int run_demo(const DemoOptions& options);

}  // namespace millrace::app
