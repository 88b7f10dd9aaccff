#include "cluster/peer_codec.h"

#include <utility>

#include "cluster/record_codec.h"
#include "cluster/wire.h"

namespace millrace::cluster {
namespace {

constexpr std::uint32_t kPeerMagic = 0x4d525052;  // "MRPR"
constexpr std::uint8_t kPeerVersion = 3;
constexpr std::uint8_t kErrorCodeMax = static_cast<std::uint8_t>(Code::kInternal);
constexpr std::uint8_t kCommitted = 0xff;  // in the place of an error code

enum class Kind : std::uint8_t { kRegister = 0, kCommit = 1, kPoll = 2, kSuspect = 3, kDescribe = 4, kStorage = 5 };

std::unexpected<Error> corrupt(std::string_view what) {
  return fail(Code::kCorrupt, "peer message " + std::string(what));
}

// A batch travels as the bytes of a log entry, with its checksum.
void put_batch(ByteWriter& out, const std::vector<Record>& records) {
  LogEntry entry;
  entry.records = records;
  wire::put_string(out, encode_entry(entry));
}
Result<std::vector<Record>> get_batch(ByteReader& in) {
  const std::string bytes = wire::get_string(in);
  if (!in.ok()) return corrupt("is truncated");
  TRY(LogEntry entry, decode_entry(bytes));
  return std::move(entry.records);
}

void put_load(ByteWriter& out, const BrokerLoad& load) {
  out.uvarint(load.cpu_permille);
  out.uvarint(load.bytes_per_second);
  out.uvarint(load.oldest_birth.value());
  wire::put_list(out, load.busiest, [](ByteWriter& o, const PartitionLoad& busy) {
    wire::put_partition(o, busy.partition);
    o.uvarint(busy.bytes_per_second);
  });
}
BrokerLoad get_load(ByteReader& in) {
  BrokerLoad load;
  load.cpu_permille = static_cast<std::uint32_t>(in.uvarint64());
  load.bytes_per_second = in.uvarint64();
  load.oldest_birth = LogSeq(in.uvarint64());
  load.busiest = wire::get_list<PartitionLoad>(in, [](ByteReader& i) {
    PartitionLoad busy;
    busy.partition = wire::get_partition(i);
    busy.bytes_per_second = i.uvarint64();
    return busy;
  });
  return load;
}

void put_head(ByteWriter& out) {
  out.be(kPeerMagic);
  out.u8(kPeerVersion);
}
Result<void> get_head(ByteReader& in) {
  const auto magic = in.be<std::uint32_t>();
  const std::uint8_t version = in.u8();
  if (!in.ok() || magic != kPeerMagic) return corrupt("does not begin with the magic number");
  if (version != kPeerVersion) {
    return fail(Code::kUnsupported, "peer message of version " + std::to_string(version) + "; upgrade this Millrace");
  }
  return {};
}

}  // namespace

std::string encode_peer_request(const PeerRequest& request) {
  std::string bytes;
  ByteWriter out(bytes);
  put_head(out);
  wire::put_uuid(out, request.cluster_id);
  out.u8(static_cast<std::uint8_t>(request.what.index()));
  if (const auto* registration = std::get_if<PeerRegister>(&request.what)) {
    std::vector<Record> batch;
    batch.emplace_back(registration->record);
    put_batch(out, batch);
    wire::put_number(out, registration->ended);
  } else if (const auto* commit = std::get_if<PeerCommit>(&request.what)) {
    out.uvarint(commit->batches.size());
    for (const auto& batch : commit->batches) put_batch(out, batch);
  } else if (const auto* poll = std::get_if<PeerPoll>(&request.what)) {
    out.zigzag(poll->broker_id);
    wire::put_number(out, poll->incarnation);
    wire::put_number(out, poll->applied);
    put_load(out, poll->load);
    out.uvarint(poll->lease_wish);
  } else if (const auto* suspect = std::get_if<PeerSuspect>(&request.what)) {
    out.uvarint(suspect->controller_epoch);
  } else if (const auto* storage = std::get_if<PeerStorage>(&request.what)) {
    wire::put_number(out, storage->incarnation);
    wire::put_string(out, storage->question);
  }
  return bytes;
}

Result<PeerRequest> decode_peer_request(std::string_view bytes) {
  ByteReader in(bytes);
  TRY_VOID(get_head(in));
  PeerRequest request;
  request.cluster_id = wire::get_uuid(in);
  const auto kind = static_cast<Kind>(in.u8());
  if (!in.ok()) return corrupt("is truncated");
  if (kind == Kind::kRegister) {
    TRY(std::vector<Record> batch, get_batch(in));
    if (batch.size() != 1 || !std::holds_alternative<RegisterBrokerRecord>(batch.front()))
      return corrupt("registers something else than one broker");
    const auto ended = wire::get_number<Incarnation>(in);
    request.what = PeerRegister{std::get<RegisterBrokerRecord>(std::move(batch.front())), ended};
  } else if (kind == Kind::kCommit) {
    const std::uint64_t count = in.uvarint64();
    if (count > in.remaining()) return corrupt("is truncated");
    PeerCommit commit;
    for (std::uint64_t i = 0; i < count; ++i) {
      TRY(std::vector<Record> batch, get_batch(in));
      commit.batches.push_back(std::move(batch));
    }
    request.what = std::move(commit);
  } else if (kind == Kind::kPoll) {
    PeerPoll poll;
    poll.broker_id = in.zigzag32();
    poll.incarnation = wire::get_number<Incarnation>(in);
    poll.applied = wire::get_number<LogSeq>(in);
    poll.load = get_load(in);
    poll.lease_wish = in.uvarint64();
    request.what = poll;
  } else if (kind == Kind::kSuspect) {
    request.what = PeerSuspect{in.uvarint64()};
  } else if (kind == Kind::kDescribe) {
    request.what = PeerDescribe{};
  } else if (kind == Kind::kStorage) {
    const auto incarnation = wire::get_number<Incarnation>(in);
    request.what = PeerStorage{incarnation, wire::get_string(in)};
  } else {
    return corrupt("is of an unknown kind");
  }
  if (!in.ok() || !in.at_end()) return corrupt("has a wrong length");
  return request;
}

std::string encode_peer_answer(const PeerAnswer& answer) {
  std::string bytes;
  ByteWriter out(bytes);
  put_head(out);
  out.u8(static_cast<std::uint8_t>(answer.status));
  out.uvarint(answer.controller_epoch);
  wire::put_number(out, answer.applied);
  out.uvarint(answer.commits.size());
  for (const auto& commit : answer.commits) {
    out.u8(commit ? kCommitted : static_cast<std::uint8_t>(commit.error().code()));
    if (commit) wire::put_number(out, *commit);
    if (!commit) wire::put_string(out, commit.error().message());
  }
  out.uvarint(answer.lease_granted);
  out.u8(answer.description ? 1 : 0);
  if (answer.description) put_description(out, *answer.description);
  out.u8(answer.from_storage ? 1 : 0);
  if (answer.from_storage) wire::put_string(out, *answer.from_storage);
  return bytes;
}

Result<PeerAnswer> decode_peer_answer(std::string_view bytes) {
  ByteReader in(bytes);
  TRY_VOID(get_head(in));
  PeerAnswer answer;
  const std::uint8_t status = in.u8();
  if (status > static_cast<std::uint8_t>(PeerStatus::kControllerHeard)) return corrupt("has an unknown status");
  answer.status = static_cast<PeerStatus>(status);
  answer.controller_epoch = in.uvarint64();
  answer.applied = wire::get_number<LogSeq>(in);
  const std::uint64_t count = in.uvarint64();
  if (count > in.remaining()) return corrupt("is truncated");
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    const std::uint8_t code = in.u8();
    if (code == kCommitted) {
      answer.commits.emplace_back(wire::get_number<LogSeq>(in));
    } else if (code <= kErrorCodeMax) {
      answer.commits.emplace_back(fail(static_cast<Code>(code), wire::get_string(in)));
    } else {
      return corrupt("has an unknown error code");
    }
  }
  answer.lease_granted = in.uvarint64();
  const std::uint8_t described = in.u8();
  if (described == 1) answer.description = get_description(in);
  const std::uint8_t from_storage = in.u8();
  if (from_storage == 1) answer.from_storage = wire::get_string(in);
  if (described > 1 || from_storage > 1) return corrupt("has an unknown part");
  if (!in.ok() || !in.at_end()) return corrupt("has a wrong length");
  return answer;
}

}  // namespace millrace::cluster
