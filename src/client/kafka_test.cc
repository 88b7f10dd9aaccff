// Against a real broker: KAFKA_BOOTSTRAP=HOST:PORT build/test/client_test --gtest_filter='RealKafka.*'
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/event_loop.h"
#include "base/random.h"
#include "client/client.h"
#include "net/tcp.h"

namespace millrace::client {
namespace {

class RealKafka : public testing::Test {
 protected:
  void SetUp() override {
    const char* bootstrap = std::getenv("KAFKA_BOOTSTRAP");
    if (!bootstrap) GTEST_SKIP() << "KAFKA_BOOTSTRAP=HOST:PORT names no Kafka broker to test against";
    const auto address = net::Address::parse(bootstrap);
    ASSERT_TRUE(address) << address.error().to_string();
    options_ = {.bootstrap_host = address->host, .bootstrap_port = address->port};
    topic_ = fmt::format("millrace-client-{:x}", make_system_random()->next());
  }
  // Runs `test(client)` and fails on its error.
  void run(Task<Result<void>> (*test)(Client&, Executor, std::string)) {
    EventLoop loop;
    const auto connector = make_tcp_connector(loop.executor());
    Client client(loop.executor(), loop.clock(), *connector, options_);
    std::optional<Result<void>> result;
    loop.run_until_done(
        [](Client& c, Executor executor, std::string t, auto* f, std::optional<Result<void>>& out) -> Task<void> {
          out = co_await f(c, executor, t);
        }(client, loop.executor(), topic_, test, result));
    ASSERT_TRUE(result.has_value());
    EXPECT_TRUE(*result) << result->error().to_string();
  }
  ClientOptions options_;
  std::string topic_;
};

std::vector<Record> records_of(int from, int count, std::size_t value_size = 10) {
  std::vector<Record> records;
  for (int i = from; i < from + count; ++i) {
    Record record{.key = fmt::format("k{}", i), .value = std::string(value_size, 'v')};
    if (i % 2 == 0) record.headers = {{.key = "n", .value = std::to_string(i)}, {.key = "null"}};
    records.push_back(std::move(record));
  }
  return records;
}

Task<Result<std::vector<Record>>> read_to_end(Client& client, TopicPartition partition) {
  CO_TRY(const auto end, co_await client.offset_of(partition, OffsetSpec::kLatest));
  CO_TRY(std::int64_t next, co_await client.offset_of(partition, OffsetSpec::kEarliest));
  std::vector<Record> all;
  while (next < end) {
    std::map<TopicPartition, std::int64_t> positions{{partition, next}};
    CO_TRY(auto fetched, co_await client.fetch(positions));
    for (auto& each : fetched) {
      if (each.error) co_return fail(*each.error);
      for (auto& record : each.records) all.push_back(std::move(record));
      next = each.next_offset;
    }
  }
  co_return all;
}

Task<Result<void>> topics(Client& client, Executor, std::string topic) {
  const auto missing = co_await client.partition_count(topic);
  EXPECT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Code::kNotFound);
  const NewTopic wanted{.name = topic, .partitions = 3, .configs = {{"cleanup.policy", "compact"}}};
  CO_TRY_VOID(co_await client.create_topic(wanted));
  CO_TRY_VOID(co_await client.create_topic(wanted));  // again is success
  CO_TRY(const auto count, co_await client.partition_count(topic));
  EXPECT_EQ(count, 3);
  CO_TRY(const auto names, co_await client.list_topics());
  EXPECT_NE(std::ranges::find(names, topic), names.end());
  const NewTopic bad{.name = topic + "2", .configs = {{"no.such.config", "1"}}};
  const auto refused = co_await client.create_topic(bad);
  EXPECT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kInvalid) << refused.error().to_string();
  co_return Result<void>();
}
TEST_F(RealKafka, topics_are_created_counted_and_listed) { run(topics); }

Task<Result<void>> write_and_read(Client& client, Executor, std::string topic) {
  const NewTopic wanted{.name = topic, .partitions = 2};
  CO_TRY_VOID(co_await client.create_topic(wanted));
  const TopicPartition partition{topic, 1};
  Producer producer(client);
  std::vector<Record> expected;
  for (int i = 0; i < 5; ++i) {
    auto batch = records_of(i * 100, 100, 1000);
    expected.insert(expected.end(), batch.begin(), batch.end());
    CO_TRY(const auto offset, co_await producer.send(partition, std::move(batch)));
    EXPECT_EQ(offset, i * 100);
  }
  CO_TRY(const auto all, co_await read_to_end(client, partition));
  EXPECT_EQ(all.size(), expected.size());
  for (std::size_t i = 0; i < std::min(all.size(), expected.size()); ++i) {
    EXPECT_EQ(all[i].offset, static_cast<std::int64_t>(i));
    EXPECT_EQ(all[i].key, expected[i].key);
    EXPECT_EQ(all[i].value, expected[i].value);
    EXPECT_GT(all[i].timestamp_ms, 1'600'000'000'000);
    EXPECT_EQ(all[i].headers.size(), expected[i].headers.size());
    if (!all[i].headers.empty()) {
      EXPECT_EQ(all[i].headers[0].value, expected[i].headers[0].value);
      EXPECT_EQ(all[i].headers[1].value, std::nullopt);
    }
  }
  // From the middle of a batch, and beyond the end.
  std::map<TopicPartition, std::int64_t> positions{{partition, 250}, {{topic, 0}, 0}};
  CO_TRY(const auto middle, co_await client.fetch(positions));
  EXPECT_EQ(middle.size(), 2u);
  for (const auto& each : middle) {
    EXPECT_FALSE(each.error.has_value());
    EXPECT_EQ(each.records.empty(), each.partition.partition == 0);
    EXPECT_EQ(each.records.empty() ? each.next_offset : each.records[0].offset,
              each.partition.partition == 0 ? 0 : 250);
  }
  std::map<TopicPartition, std::int64_t> beyond{{partition, 9999}, {{topic, 7}, 0}};
  CO_TRY(const auto outside, co_await client.fetch(beyond));
  EXPECT_EQ(outside.size(), 2u);
  for (const auto& each : outside) {
    const Code wanted = each.partition.partition == 1 ? Code::kInvalid : Code::kNotFound;
    EXPECT_EQ(each.error ? each.error->code() : Code::kInternal, wanted);
  }
  co_return Result<void>();
}
TEST_F(RealKafka, what_is_written_reads_back) { run(write_and_read); }

Task<void> send_one(Producer& producer, TopicPartition partition, int number, std::vector<std::int64_t>& offsets,
                    int& left, Event& done) {
  const auto offset = co_await producer.send(partition, records_of(number, 1));
  EXPECT_TRUE(offset) << offset.error().to_string();
  offsets[static_cast<std::size_t>(number)] = offset ? *offset : -1;
  if (--left == 0) done.set();
}

Task<Result<void>> many_at_once(Client& client, Executor executor, std::string topic) {
  const NewTopic wanted{.name = topic};
  CO_TRY_VOID(co_await client.create_topic(wanted));
  constexpr int kSends = 200;
  const TopicPartition partition{topic, 0};
  Producer producer(client);
  std::vector<std::int64_t> offsets(kSends, -2);
  int left = kSends;
  Event done;
  for (int i = 0; i < kSends; ++i) {
    spawn_on(executor, send_one(producer, partition, i, offsets, left, done));
  }
  co_await done.wait();
  for (int i = 0; i < kSends; ++i) EXPECT_EQ(offsets[static_cast<std::size_t>(i)], i);
  co_return Result<void>();
}
TEST_F(RealKafka, sends_at_once_land_in_the_order_of_the_calls) { run(many_at_once); }

Task<Result<void>> too_large(Client& client, Executor, std::string topic) {
  const NewTopic wanted{.name = topic, .configs = {{"max.message.bytes", "1000"}}};
  CO_TRY_VOID(co_await client.create_topic(wanted));
  const TopicPartition partition{topic, 0}, missing{topic + "-none", 0};
  Producer producer(client);
  const auto refused = co_await producer.send(partition, records_of(0, 1, 5000));
  EXPECT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kInvalid);
  const auto later = co_await producer.send(partition, records_of(0, 1));
  EXPECT_FALSE(later);
  // A topic that does not exist costs only the one batch.
  Producer other(client);
  const auto nowhere = co_await other.send(missing, records_of(0, 1));
  EXPECT_EQ(nowhere.error().code(), Code::kNotFound);
  CO_TRY_VOID(co_await other.send(partition, records_of(0, 1)));
  co_return Result<void>();
}
TEST_F(RealKafka, a_batch_that_is_refused_ends_the_producer) { run(too_large); }

}  // namespace
}  // namespace millrace::client
