#include "client/client.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/event_loop.h"
#include "client/fake_broker.h"
#include "kafka/batch_builder.h"
#include "kafka/records.h"
#include "net/tcp.h"

namespace millrace::client {
namespace {

using Fault = FakeBroker::Fault;
using Script = FakeBroker::Script;
using kafka::ApiKey;
using kafka::ErrorCode;

const TopicPartition kPartition{"t", 0};

struct World {
  explicit World(Duration call_timeout = 5s)
      : connector(make_fake_connector(broker)),
        client(loop.executor(), loop.clock(), *connector,
               {.bootstrap_host = "fake", .bootstrap_port = 1, .call_timeout = call_timeout}) {}
  FakeBroker broker;
  EventLoop loop;
  std::unique_ptr<Connector> connector;
  Client client;

  template <class T>
  Result<T> run(Task<Result<T>> task) {
    std::optional<Result<T>> out;
    loop.run_until_done(keep(std::move(task), out));
    return std::move(*out);
  }
  template <class T>
  static Task<void> keep(Task<Result<T>> task, std::optional<Result<T>>& out) {
    out = co_await std::move(task);
  }
  // The values in the broker's log, in order.
  std::vector<std::string> logged() const {
    std::vector<std::string> values;
    for (const Slice& batch : broker.log) {
      EXPECT_TRUE(kafka::for_each_record(
          batch, [&](const kafka::RecordView& record) { values.emplace_back(record.value.value_or("null")); }));
    }
    return values;
  }
};

std::vector<Record> one(int number) {
  Record record;
  record.value = std::to_string(number);
  return {record};
}

Task<void> send_one(Producer& producer, int number, std::vector<Result<std::int64_t>>& results, int& left,
                    Event& done) {
  results[static_cast<std::size_t>(number)] = co_await producer.send(kPartition, one(number));
  if (--left == 0) done.set();
}

// `count` sends at once, one record each.
Task<Result<std::vector<Result<std::int64_t>>>> send_at_once(Executor executor, Producer& producer, int count) {
  std::vector<Result<std::int64_t>> results(static_cast<std::size_t>(count), Result<std::int64_t>(-7));
  int left = count;
  Event done;
  for (int i = 0; i < count; ++i) spawn_on(executor, send_one(producer, i, results, left, done));
  co_await done.wait();
  co_return results;
}

// Sends 12 batches at once under `script`, and finds each once, in order, where its answer says.
void all_land_once(const std::function<Script(ApiKey, int)>& script, const std::string& what) {
  constexpr int kCount = 12;
  World world;
  world.broker.script = script;
  Producer producer(world.client);
  const auto results = world.run(send_at_once(world.loop.executor(), producer, kCount));
  ASSERT_TRUE(results);
  for (int i = 0; i < kCount; ++i) {
    const auto& offset = (*results)[static_cast<std::size_t>(i)];
    ASSERT_TRUE(offset) << what << ", batch " << i << ": " << offset.error().to_string();
    EXPECT_EQ(*offset, i) << what;
  }
  std::vector<std::string> wanted;
  for (int i = 0; i < kCount; ++i) wanted.push_back(std::to_string(i));
  EXPECT_EQ(world.logged(), wanted) << what;
}

TEST(Producer, every_batch_lands_once_and_in_order_whichever_request_goes_wrong) {
  for (const Fault fault : {Fault::kNone, Fault::kLostBefore, Fault::kLostAfter}) {
    for (int nth = 1; nth <= 20; ++nth) {
      all_land_once([=](ApiKey, int n) { return n == nth ? Script{fault} : Script{}; },
                    fmt::format("fault {} at request {}", static_cast<int>(fault), nth));
    }
  }
}

TEST(Producer, every_batch_lands_once_and_in_order_whatever_passing_error_is_answered) {
  for (const ErrorCode error :
       {ErrorCode::kNotLeaderOrFollower, ErrorCode::kUnknownTopicOrPartition, ErrorCode::kNotEnoughReplicas,
        ErrorCode::kRequestTimedOut, ErrorCode::kCorruptMessage, ErrorCode::kKafkaStorageError}) {
    for (int nth = 1; nth <= 7; ++nth) {
      int produced = 0;
      all_land_once(
          [=](ApiKey key, int) mutable {
            return key == ApiKey::kProduce && ++produced == nth ? Script{Fault::kError, error} : Script{};
          },
          fmt::format("{} at produce {}", kafka::name(error), nth));
    }
  }
}

TEST(Producer, a_broker_that_hangs_is_left_and_the_batches_sent_again) {
  int produced = 0;
  World world(600ms);  // an attempt is given a third of that
  world.broker.script = [&](ApiKey key, int) {
    return key == ApiKey::kProduce && ++produced == 1 ? Script{Fault::kHang} : Script{};
  };
  Producer producer(world.client);
  EXPECT_EQ(world.run(producer.send(kPartition, one(1))).value(), 0);
  EXPECT_EQ(world.logged(), std::vector<std::string>{"1"});
}

TEST(Producer, errors_that_cannot_pass_end_it) {
  for (const ErrorCode error :
       {ErrorCode::kMessageTooLarge, ErrorCode::kInvalidRecord, ErrorCode::kInvalidProducerEpoch,
        ErrorCode::kTopicAuthorizationFailed, ErrorCode::kOutOfOrderSequenceNumber}) {
    World world;
    int produced = 0;
    world.broker.script = [&](ApiKey key, int) {
      return key == ApiKey::kProduce && ++produced == 3 ? Script{Fault::kError, error} : Script{};
    };
    Producer producer(world.client);
    const auto results = world.run(send_at_once(world.loop.executor(), producer, 8));
    ASSERT_TRUE(results);
    for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ((*results)[i].has_value(), i < 2) << kafka::name(error) << " " << i;
    EXPECT_FALSE(world.run(producer.send(kPartition, one(9)))) << kafka::name(error);
    EXPECT_EQ(world.logged(), (std::vector<std::string>{"0", "1"})) << kafka::name(error);
    // A new producer goes on.
    Producer next(world.client);
    EXPECT_EQ(world.run(next.send(kPartition, one(10))).value(), 2);
  }
}

TEST(Producer, trouble_that_does_not_pass_ends_in_time) {
  World world(300ms);
  world.broker.script = [](ApiKey key, int) {
    return key == ApiKey::kProduce ? Script{Fault::kError, ErrorCode::kNotEnoughReplicas} : Script{};
  };
  Producer producer(world.client);
  const auto result = world.run(producer.send(kPartition, one(1)));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kUnavailable) << result.error().to_string();
  EXPECT_NE(result.error().message().find("NOT_ENOUGH_REPLICAS"), std::string::npos);
}

TEST(Producer, a_topic_that_does_not_exist_costs_one_batch_and_not_the_producer) {
  World world;
  world.broker.topic_exists = false;
  Producer producer(world.client);
  EXPECT_EQ(world.run(producer.send(kPartition, one(1))).error().code(), Code::kNotFound);
  world.broker.topic_exists = true;
  EXPECT_EQ(world.run(producer.send(kPartition, one(2))).value(), 0);
  EXPECT_EQ(world.run(producer.send({"t", 5}, one(2))).error().code(), Code::kNotFound);
  EXPECT_EQ(world.run(producer.send(kPartition, {})).error().code(), Code::kInvalid);
}

Task<Result<std::int64_t>> send_and_drop(Executor executor, Client& client) {
  auto producer = std::make_unique<Producer>(client);
  Result<std::int64_t> result = 0;
  Event done;
  std::vector<Result<std::int64_t>> results(1, Result<std::int64_t>(0));
  int left = 1;
  spawn_on(executor, send_one(*producer, 0, results, left, done));
  for (int i = 0; i < 5; ++i) co_await yield_now();
  producer.reset();
  co_await done.wait();
  co_return results[0];
}

TEST(Producer, sends_that_wait_fail_when_it_is_destroyed) {
  World world;
  world.broker.script = [](ApiKey key, int) { return key == ApiKey::kProduce ? Script{Fault::kHang} : Script{}; };
  const auto result = world.run(send_and_drop(world.loop.executor(), world.client));
  EXPECT_EQ(result.error().code(), Code::kCancelled);
}

void fill(FakeBroker& broker, int batches) {
  for (int i = 0; i < batches; ++i) {
    kafka::BatchBuilder builder({.compression = i % 2 ? kafka::Compression::kZstd : kafka::Compression::kNone});
    for (int j = 0; j < 3; ++j) builder.add(1000 + i, "k", std::to_string(i * 3 + j));
    broker.append(builder.finish());
  }
}

std::vector<std::string> values_of(const std::vector<Record>& records) {
  std::vector<std::string> values;
  for (const Record& record : records) values.push_back(record.value.value_or("null"));
  return values;
}

TEST(Fetch, gives_the_records_from_the_asked_offset_on_whichever_request_goes_wrong) {
  for (const Fault fault : {Fault::kNone, Fault::kLostBefore, Fault::kLostAfter}) {
    for (int nth = 1; nth <= 6; ++nth) {
      World world;
      fill(world.broker, 4);
      world.broker.script = [=](ApiKey, int n) { return n == nth ? Script{fault} : Script{}; };
      const auto fetched = world.run(world.client.fetch({{kPartition, 4}}));
      ASSERT_TRUE(fetched) << fetched.error().to_string();
      ASSERT_EQ(fetched->size(), 1u);
      const auto& partition = fetched->front();
      EXPECT_FALSE(partition.error);
      EXPECT_EQ(values_of(partition.records), (std::vector<std::string>{"4", "5", "6", "7", "8", "9", "10", "11"}));
      EXPECT_EQ(partition.records.front().offset, 4);
      EXPECT_EQ(partition.next_offset, 12);
      EXPECT_EQ(partition.high_watermark, 12);
    }
  }
}

TEST(Fetch, errors_say_what_to_do) {
  const std::pair<ErrorCode, Code> table[] = {{ErrorCode::kOffsetOutOfRange, Code::kInvalid},
                                              {ErrorCode::kUnknownTopicOrPartition, Code::kNotFound},
                                              {ErrorCode::kTopicAuthorizationFailed, Code::kDenied}};
  for (const auto& [error, code] : table) {
    World world;
    world.broker.script = [&](ApiKey key, int) {
      return key == ApiKey::kFetch ? Script{Fault::kError, error} : Script{};
    };
    const auto fetched = world.run(world.client.fetch({{kPartition, 0}}));
    ASSERT_TRUE(fetched);
    ASSERT_TRUE(fetched->front().error);
    EXPECT_EQ(fetched->front().error->code(), code);
  }
  World world;
  world.broker.topic_exists = false;
  const auto fetched = world.run(world.client.fetch({{kPartition, 0}}));
  EXPECT_EQ(fetched.value().front().error->code(), Code::kNotFound);
  EXPECT_TRUE(world.run(world.client.fetch({})).value().empty());
}

TEST(Fetch, passing_errors_are_asked_again) {
  World world;
  fill(world.broker, 1);
  int asked = 0;
  world.broker.script = [&](ApiKey key, int) {
    return key == ApiKey::kFetch && ++asked < 4 ? Script{Fault::kError, ErrorCode::kNotLeaderOrFollower} : Script{};
  };
  EXPECT_EQ(world.run(world.client.fetch({{kPartition, 0}})).value().front().records.size(), 3u);
  EXPECT_EQ(asked, 4);
}

TEST(Fetch, a_batch_with_a_wrong_checksum_is_not_believed) {
  World world;
  fill(world.broker, 1);
  const_cast<char*>(world.broker.log[0].data())[70] ^= 1;
  EXPECT_EQ(world.run(world.client.fetch({{kPartition, 0}})).value().front().error->code(), Code::kCorrupt);
}

// Producer 1 aborts offsets 0-1, producer 2 commits 3-4; the markers are control records.
TEST(Fetch, aborted_transactions_and_control_records_are_left_out) {
  World world;
  const auto write = [&](std::int64_t producer, const char* a, const char* b) {
    kafka::BatchBuilder builder({.producer_id = producer, .producer_epoch = 0, .transactional = true});
    builder.add(1, "k", a);
    builder.add(1, "k", b);
    world.broker.append(builder.finish());
  };
  const auto end = [&](std::int64_t producer, kafka::ControlType type) {
    kafka::BatchBuilder builder({.producer_id = producer, .producer_epoch = 0, .transactional = true, .control = true});
    builder.add_control(1, {.type = type});
    world.broker.append(builder.finish());
  };
  write(1, "a", "b");
  end(1, kafka::ControlType::kAbort);
  write(2, "c", "d");
  write(1, "e", "f");
  end(2, kafka::ControlType::kCommit);
  world.broker.aborted = {{1, 0}};
  const auto committed = world.run(world.client.fetch({{kPartition, 0}}));
  EXPECT_EQ(values_of(committed->front().records), (std::vector<std::string>{"c", "d", "e", "f"}));
  EXPECT_EQ(committed->front().next_offset, 8);
  world.broker.aborted.clear();
  const auto all = world.run(world.client.fetch({{kPartition, 0}}, {.read_committed = false}));
  EXPECT_EQ(values_of(all->front().records), (std::vector<std::string>{"a", "b", "c", "d", "e", "f"}));
}

TEST(Client, offsets_and_counts) {
  World world;
  fill(world.broker, 2);
  EXPECT_EQ(world.run(world.client.offset_of(kPartition, OffsetSpec::kEarliest)).value(), 0);
  EXPECT_EQ(world.run(world.client.offset_of(kPartition, OffsetSpec::kLatest)).value(), 6);
  EXPECT_EQ(world.run(world.client.partition_count("t")).value(), 1);
  EXPECT_EQ(world.run(world.client.list_topics()).value(), std::vector<std::string>{"t"});
  world.client.close();
  EXPECT_EQ(world.run(world.client.offset_of(kPartition, OffsetSpec::kLatest)).error().code(), Code::kCancelled);
}

// The script's broker behind a real socket; it hangs up once after the 9th request.
Task<void> serve_one(std::unique_ptr<net::Stream> stream, FakeBroker& broker) {
  while (true) {
    char length[4];
    const auto got = co_await net::read_exactly(*stream, length);
    if (!got) co_return;
    Slice frame = Slice::uninitialized(static_cast<std::size_t>(load_be<std::int32_t>(length)));
    (void)co_await net::read_exactly(*stream, {frame.mutable_data(), frame.size()});
    SliceChain reply;
    reply.append(broker.answer(frame, {}));
    if (++broker.requests == 9) co_return;
    const SliceChain whole = kafka::with_length(std::move(reply));
    (void)co_await stream->write(whole);
  }
}
Task<void> serve(Executor executor, net::Listener& listener, FakeBroker& broker) {
  while (true) {
    auto stream = co_await listener.accept();
    if (!stream) co_return;
    ++broker.connections;
    spawn_on(executor, serve_one(std::move(*stream), broker));
  }
}

TEST(TcpConnector, batches_land_once_over_a_socket_that_is_lost_once) {
  EventLoop loop;
  FakeBroker broker;
  auto listener = net::listen(loop.executor(), *net::Address::parse("127.0.0.1:0"));
  ASSERT_TRUE(listener);
  broker.host = "127.0.0.1";
  broker.port = (*listener)->bound().port;
  spawn_on(loop.executor(), serve(loop.executor(), **listener, broker));
  const auto connector = make_tcp_connector(loop.executor());
  Client client(loop.executor(), loop.clock(), *connector,
                {.bootstrap_host = broker.host, .bootstrap_port = broker.port, .call_timeout = 10s});
  {
    Producer producer(client);
    std::optional<Result<std::vector<Result<std::int64_t>>>> sent;
    loop.run_until_done(World::keep(send_at_once(loop.executor(), producer, 20), sent));
    for (int i = 0; i < 20; ++i) EXPECT_EQ(sent->value()[static_cast<std::size_t>(i)].value(), i);
  }
  std::optional<Result<std::vector<FetchedPartition>>> fetched;
  loop.run_until_done(World::keep(client.fetch({{kPartition, 0}}), fetched));
  EXPECT_EQ(fetched->value().front().records.size(), 20u);
  EXPECT_EQ(broker.log.size(), 20u);
  EXPECT_GE(broker.connections, 4);  // admin, fetch, and produce twice
  client.close();
  (*listener)->close();
}

TEST(PartitionForKey, is_kafkas_own) {
  // org.apache.kafka.common.utils.Utils.murmur2, from its own tests.
  EXPECT_EQ(partition_for_key("21", 0x7fffffff), (-973932308 & 0x7fffffff));
  EXPECT_EQ(partition_for_key("foobar", 0x7fffffff), (-790332482 & 0x7fffffff));
  EXPECT_EQ(partition_for_key("a-little-bit-long-string", 0x7fffffff), (-985981536 & 0x7fffffff));
  EXPECT_EQ(partition_for_key("abc", 0x7fffffff), 479470107);
}

}  // namespace
}  // namespace millrace::client
