// A broker in a few lines for tests of the client: one topic "t" with one partition, producers' sequences
// checked as Kafka does, and faults by script. One thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/client.h"
#include "kafka/codec.h"
#include "kafka/errors.h"
#include "kafka/record_batch.h"

namespace millrace::client {

class FakeBroker {
 public:
  enum class Fault {
    kNone,
    kLostBefore,  // the connection ends and the request has no effect
    kLostAfter,   // the request has its effect, and the connection ends
    kHang,        // no answer, no effect
    kError,       // answered with `error`, no effect
  };
  struct Script {
    Fault fault = Fault::kNone;
    kafka::ErrorCode error = kafka::ErrorCode::kNone;
  };
  // Asked for each request, with its API and running number from 1 on.
  std::function<Script(kafka::ApiKey, int)> script = [](kafka::ApiKey, int) { return Script{}; };

  std::vector<Slice> log;  // batches, base offsets set
  std::int64_t end_offset = 0;
  // Where its metadata says that it is.
  std::string host = "fake";
  std::uint16_t port = 1;
  bool topic_exists = true;
  int requests = 0;
  int connections = 0;
  // What Fetch says of aborted transactions.
  std::vector<std::pair<std::int64_t, std::int64_t>> aborted;  // producer id, first offset

  // The reply frame to a request frame.
  Slice answer(const Slice& frame, Script script);
  void append(Slice batch);

 private:
  template <class M>
  Slice reply(const kafka::RequestHeader& header, const M& body);
  Slice produce(const kafka::RequestFrame& request, Script script);
  Slice fetch(const kafka::RequestFrame& request, Script script);
  Slice metadata(const kafka::RequestFrame& request, Script script);
  Slice list_offsets(const kafka::RequestFrame& request, Script script);

  struct Written {
    std::int32_t first_sequence, last_sequence;
    std::int64_t offset;
  };
  std::map<std::int64_t, std::deque<Written>> producers_;
};

std::unique_ptr<Connector> make_fake_connector(FakeBroker& broker);

}  // namespace millrace::client
