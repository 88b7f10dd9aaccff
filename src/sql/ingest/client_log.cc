#include <fmt/format.h>

#include "net/tcp.h"
#include "sql/ingest/log.h"

namespace millrace::sql::ingest {
namespace {

class ClientLog final : public Log {
 public:
  ClientLog(Executor executor, Clock& clock, client::Connector& connector, client::ClientOptions options)
      : client_(std::move(executor), clock, connector, std::move(options)) {}

  Task<Result<std::int32_t>> partition_count(std::string topic) override {
    return client_.partition_count(std::move(topic));
  }
  Task<Result<void>> create_compacted_topic(std::string name) override {
    client::NewTopic topic{std::move(name), 1, {{"cleanup.policy", "compact"}, {"retention.ms", "-1"}}};
    return client_.create_topic(std::move(topic));
  }
  Task<Result<std::vector<std::string>>> list_topics() override { return client_.list_topics(); }
  Task<Result<std::int64_t>> offset_of(client::TopicPartition partition, client::OffsetSpec spec) override {
    return client_.offset_of(std::move(partition), spec);
  }
  Task<Result<std::vector<client::FetchedPartition>>> fetch(std::map<client::TopicPartition, std::int64_t> positions,
                                                            client::FetchOptions options) override {
    return client_.fetch(std::move(positions), options);
  }
  Task<Result<void>> append(std::string topic, std::vector<client::Record> records) override {
    if (!producer_) producer_ = std::make_unique<client::Producer>(client_);
    client::TopicPartition partition{std::move(topic), 0};
    auto sent = co_await producer_->send(std::move(partition), std::move(records));
    if (sent) co_return Result<void>();
    // A producer is done after an error; the next append begins anew. Records are whole states by key, so
    // one that was written after all does no harm.
    producer_.reset();
    co_return fail(std::move(sent).error());
  }

 private:
  client::Client client_;
  std::unique_ptr<client::Producer> producer_;
};

}  // namespace

ClientLogOpener::ClientLogOpener(Executor executor, Clock& clock, client::Connector& own,
                                 client::ClientOptions own_options)
    : executor_(std::move(executor)), clock_(clock), own_(own), own_options_(std::move(own_options)) {}
ClientLogOpener::~ClientLogOpener() = default;

Result<std::unique_ptr<Log>> ClientLogOpener::open(const std::string& brokers) {
  if (brokers.empty()) return std::make_unique<ClientLog>(executor_, clock_, own_, own_options_);
  const std::string first = brokers.substr(0, brokers.find(','));
  auto address = net::Address::parse(first);
  if (!address) return fail(std::move(address).error().with(fmt::format("kafka_broker_list {}", brokers)));
  if (!tcp_) tcp_ = client::make_tcp_connector(executor_);
  client::ClientOptions options = own_options_;
  options.bootstrap_host = address->host;
  options.bootstrap_port = address->port;
  return std::make_unique<ClientLog>(executor_, clock_, *tcp_, options);
}

}  // namespace millrace::sql::ingest
