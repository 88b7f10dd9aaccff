#include "client/fake_broker.h"

#include "kafka/messages/api_versions.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/list_offsets.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/produce.h"

namespace millrace::client {

using kafka::ErrorCode;
using kafka::to_wire;

template <class M>
Slice FakeBroker::reply(const kafka::RequestHeader& header, const M& body) {
  auto frame = kafka::encode_response(header.correlation_id, header.api_version, body);
  CHECK(frame);
  return frame->flatten();
}

void FakeBroker::append(Slice batch) {
  Slice own = Slice::copy_of(batch);
  kafka::set_base_offset(own.mutable_data(), end_offset);
  end_offset = kafka::BatchView::at_start_of(own)->next_offset();
  log.push_back(own);
}

Slice FakeBroker::produce(const kafka::RequestFrame& request, Script script) {
  const auto body = kafka::decode<kafka::ProduceRequest>(request.body, request.header.api_version);
  CHECK(body && body->topic_data.size() == 1 && body->topic_data[0].partition_data.size() == 1);
  CHECK(body->acks == -1);
  const Slice bytes = *body->topic_data[0].partition_data[0].records;
  const auto batch = kafka::BatchView::at_start_of(bytes).value();
  CHECK(batch.crc_matches());
  auto& written = producers_[batch.producer_id()];

  kafka::ProduceResponse response;
  auto& topic = response.responses.emplace_back();
  topic.name = "t";
  auto& answer = topic.partition_responses.emplace_back();
  const std::int32_t expected = written.empty() ? 0 : (written.back().last_sequence + 1) & 0x7fffffff;
  for (const auto& each : written) {
    if (each.first_sequence == batch.base_sequence() && each.last_sequence == batch.last_sequence()) {
      answer.base_offset = each.offset;  // sent before: not written again
      return reply(request.header, response);
    }
  }
  if (script.fault == Fault::kError) {
    answer.error_code = to_wire(script.error);
  } else if (batch.base_sequence() != expected) {
    answer.error_code = to_wire(ErrorCode::kOutOfOrderSequenceNumber);
  } else {
    answer.base_offset = end_offset;
    written.push_back({batch.base_sequence(), batch.last_sequence(), end_offset});
    if (written.size() > 5) written.pop_front();
    append(bytes);
  }
  return reply(request.header, response);
}

Slice FakeBroker::fetch(const kafka::RequestFrame& request, Script script) {
  const auto body = kafka::decode<kafka::FetchRequest>(request.body, request.header.api_version);
  CHECK(body);
  kafka::FetchResponse response;
  for (const auto& asked_topic : body->topics) {
    auto& topic = response.responses.emplace_back();
    topic.topic = std::string(asked_topic.topic);
    for (const auto& asked : asked_topic.partitions) {
      auto& data = topic.partitions.emplace_back();
      data.partition_index = asked.partition;
      data.high_watermark = end_offset;
      if (script.fault == Fault::kError) data.error_code = to_wire(script.error);
      std::string bytes;
      for (const Slice& batch : log) {
        if (kafka::BatchView::at_start_of(batch)->next_offset() > asked.fetch_offset) bytes += batch.view();
      }
      if (!aborted.empty()) data.aborted_transactions.emplace();
      for (const auto& [id, first] : aborted)
        data.aborted_transactions->push_back({.producer_id = id, .first_offset = first});
      data.records = data.error_code == 0 ? Slice::of(std::move(bytes)) : Slice();
    }
  }
  return reply(request.header, response);
}

Slice FakeBroker::metadata(const kafka::RequestFrame& request, Script script) {
  kafka::MetadataResponse response;
  response.brokers.push_back({.node_id = 1, .host = host, .port = port});
  response.controller_id = 1;
  auto& topic = response.topics.emplace_back();
  topic.name = "t";
  if (!topic_exists) topic.error_code = to_wire(ErrorCode::kUnknownTopicOrPartition);
  if (script.fault == Fault::kError) topic.error_code = to_wire(script.error);
  topic.partitions.push_back({.partition_index = 0, .leader_id = 1, .leader_epoch = 0});
  return reply(request.header, response);
}

Slice FakeBroker::list_offsets(const kafka::RequestFrame& request, Script script) {
  const auto body = kafka::decode<kafka::ListOffsetsRequest>(request.body, request.header.api_version);
  CHECK(body);
  kafka::ListOffsetsResponse response;
  auto& topic = response.topics.emplace_back();
  topic.name = "t";
  auto& answer = topic.partitions.emplace_back();
  answer.offset = body->topics[0].partitions[0].timestamp == -1 ? end_offset : 0;
  if (script.fault == Fault::kError) answer.error_code = to_wire(script.error);
  return reply(request.header, response);
}

Slice FakeBroker::answer(const Slice& frame, Script script) {
  const auto request = kafka::decode_request_header(frame).value();
  switch (static_cast<kafka::ApiKey>(request.header.api_key)) {
    case kafka::ApiKey::kApiVersions: {
      kafka::ApiVersionsResponse response;
      for (const auto& api : kafka::kApis) {
        response.api_keys.push_back({.api_key = static_cast<std::int16_t>(api.key),
                                     .min_version = api.advertised_min,
                                     .max_version = api.max_version});
      }
      return reply(request.header, response);
    }
    case kafka::ApiKey::kInitProducerId: {
      kafka::InitProducerIdResponse response;
      response.producer_id = 4000 + static_cast<std::int64_t>(producers_.size());
      response.producer_epoch = 0;
      if (script.fault == Fault::kError) response.error_code = to_wire(script.error);
      return reply(request.header, response);
    }
    case kafka::ApiKey::kMetadata: return metadata(request, script);
    case kafka::ApiKey::kProduce: return produce(request, script);
    case kafka::ApiKey::kFetch: return fetch(request, script);
    case kafka::ApiKey::kListOffsets: return list_offsets(request, script);
    default: CHECK(false);
  }
}

namespace {

struct FakeConnection {
  bool lost = false;
  Event ended;
};

Task<Result<Slice>> call_fake(FakeBroker& broker, std::shared_ptr<FakeConnection> connection, SliceChain frame) {
  const auto lost = [] { return fail(Code::kUnavailable, "connection lost"); };
  if (connection->lost) co_return lost();
  const Slice bytes = frame.flatten();
  const auto key = static_cast<kafka::ApiKey>(load_be<std::int16_t>(bytes.data()));
  const auto script = broker.script(key, ++broker.requests);
  if (script.fault == FakeBroker::Fault::kHang) {
    co_await connection->ended.wait();
    co_return lost();
  }
  Slice reply;
  if (script.fault != FakeBroker::Fault::kLostBefore) reply = broker.answer(bytes, script);
  if (script.fault == FakeBroker::Fault::kLostBefore || script.fault == FakeBroker::Fault::kLostAfter) {
    connection->lost = true;
  }
  co_await yield_now();
  if (connection->lost) co_return lost();
  co_return reply;
}

class FakeChannel : public Channel {
 public:
  explicit FakeChannel(FakeBroker& broker) : broker_(broker) {}
  Task<Result<Slice>> call(SliceChain frame) override { return call_fake(broker_, connection_, std::move(frame)); }
  void close() override {
    connection_->lost = true;
    connection_->ended.set();
  }

 private:
  FakeBroker& broker_;
  std::shared_ptr<FakeConnection> connection_ = std::make_shared<FakeConnection>();
};

class FakeConnector : public Connector {
 public:
  explicit FakeConnector(FakeBroker& broker) : broker_(broker) {}
  Task<Result<std::unique_ptr<Channel>>> connect(std::string, std::uint16_t) override {
    ++broker_.connections;
    co_return std::make_unique<FakeChannel>(broker_);
  }

 private:
  FakeBroker& broker_;
};

}  // namespace

std::unique_ptr<Connector> make_fake_connector(FakeBroker& broker) { return std::make_unique<FakeConnector>(broker); }

}  // namespace millrace::client
