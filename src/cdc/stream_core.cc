#include "cdc/stream_core.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::cdc {
namespace {

// A batch stays well under Kafka's max.message.bytes of 1 MiB, one huge record excepted.
constexpr std::size_t kBatchBytes = 512 << 10;
constexpr std::size_t kBatchRecords = 20'000;

std::size_t size_of(const client::Record& record) {
  std::size_t size = 16 + (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  for (const auto& header : record.headers) size += 4 + header.key.size() + (header.value ? header.value->size() : 0);
  return size;
}

}  // namespace

std::int32_t UnitBuilder::partition_of(const client::Record& record, std::int32_t partitions) {
  return partitions > 1 && record.key ? client::partition_for_key(*record.key, partitions) : 0;
}

void UnitBuilder::add(const std::string& topic, std::int32_t partitions, client::Record record) {
  const std::size_t size = size_of(record);
  client::TopicPartition partition{topic, partition_of(record, partitions)};
  const auto found = open_.find(partition);
  Batch* batch = found == open_.end() ? nullptr : &unit_.batches[found->second];
  if (batch == nullptr || batch->bytes + size > kBatchBytes || batch->records.size() >= kBatchRecords) {
    open_[partition] = unit_.batches.size();
    batch = &unit_.batches.emplace_back();
    batch->partition = std::move(partition);
  }
  batch->records.push_back(std::move(record));
  batch->bytes += size;
  unit_.bytes += size;
}

Unit UnitBuilder::take() {
  open_.clear();
  return std::exchange(unit_, Unit{});
}

void Replay::expect(std::map<client::TopicPartition, LandedTail> tails, Lsn known_until) {
  tails_.clear();
  for (auto& [partition, tail] : tails) tails_[partition].landed = std::move(tail);
  known_until_ = known_until;
}

Result<void> Replay::begin(std::uint32_t xid, Lsn commit_lsn) {
  xid_ = xid;
  if (tails_.empty() || commit_lsn < known_until_) return {};
  const auto& [partition, tail] = *tails_.begin();
  return fail(
      Code::kFenced,
      fmt::format("topic {} ends in a change of transaction {} that the slot does not send again: the slot or the "
                  "database was replaced; give the connector a new slot.name to start over with a snapshot",
                  partition.topic, tail.landed.xid));
}

bool Replay::skip(const client::TopicPartition& partition) {
  if (tails_.empty()) return false;
  const auto found = tails_.find(partition);
  if (found == tails_.end()) return false;
  Tail& tail = found->second;
  if (static_cast<std::uint32_t>(tail.landed.xid) != xid_) return true;  // an earlier one: landed as a whole
  return tail.seen++ < tail.landed.records;
}

void Replay::commit() {
  std::erase_if(tails_, [&](const auto& entry) { return static_cast<std::uint32_t>(entry.second.landed.xid) == xid_; });
}

StreamCore::StreamCore(StreamPort& port, Position position)
    : port_(port),
      position_(std::move(position)),
      taken_lsn_(position_.lsn),
      last_commit_(position_.streamed ? position_.lsn : 0) {}

bool StreamCore::held_by_snapshot(const Relation& relation) const {
  const auto found = position_.tables.find(relation.name);
  return found != position_.tables.end() && position_.snapshots[found->second.snapshot].holds(xid_);
}

void StreamCore::emit(const Relation& relation, client::Record record) {
  if (!replay_.done()) {
    const client::TopicPartition partition{relation.table->topic(),
                                           UnitBuilder::partition_of(record, relation.partitions)};
    if (replay_.skip(partition)) {
      ++replayed;
      return;
    }
  }
  builder_.add(relation.table->topic(), relation.partitions, std::move(record));
}

Result<void> StreamCore::relation(const PgMessage& message) {
  Relation relation;
  relation.name = fmt::format("{}.{}", message.schema, message.name);
  TRY(relation.table, port_.table_of(message));
  if (relation.table) {
    TRY(relation.partitions, port_.partitions_of(relation.table->topic()));
  }
  relations_[message.oid] = std::move(relation);
  return {};
}

Result<void> StreamCore::change(Lsn start, PgMessage& message, std::int64_t now_us) {
  const auto found = relations_.find(message.oid);
  if (!in_transaction_ || found == relations_.end()) {
    return fail(Code::kCorrupt, fmt::format("pgoutput: a change of relation {} {}", message.oid,
                                            in_transaction_ ? "that was never described" : "outside of a transaction"));
  }
  const Relation& relation = found->second;
  if (!relation.table || skip_transaction_ || held_by_snapshot(relation)) return {};
  Origin origin;
  origin.source_us = commit_us_;
  if (last_commit_ != 0) origin.sequence_first = last_commit_;
  origin.lsn = start;
  origin.xid = xid_;
  origin.origin_name = origin_;
  origin.origin_lsn = origin_lsn_;
  origin.now_us = now_us;
  ++rows;
  if (message.type == 'I') {
    emit(relation, relation.table->create(message.new_row, origin));
    return {};
  }
  scratch_.clear();
  if (message.type == 'U') {
    relation.table->update(message.old_kind, message.old_row, message.new_row, origin, scratch_);
  } else {
    relation.table->remove(message.old_kind, message.old_row, origin, scratch_);
  }
  for (auto& record : scratch_) emit(relation, std::move(record));
  return {};
}

Result<void> StreamCore::handle(Lsn start, PgMessage& message, std::int64_t now_us) {
  switch (message.type) {
    case 'B':
      if (in_transaction_) return fail(Code::kCorrupt, "pgoutput: a transaction begins inside another");
      in_transaction_ = true;
      xid_ = message.xid;
      commit_us_ = message.commit_us;
      origin_.clear();
      // The end of a transaction lies behind its commit record, so "at or below the position" is "commits below it".
      skip_transaction_ = message.commit_lsn < position_.lsn;
      if (!skip_transaction_) TRY_VOID(replay_.begin(xid_, message.commit_lsn));
      return {};
    case 'C':
      if (!in_transaction_) return fail(Code::kCorrupt, "pgoutput: a commit without a begin");
      in_transaction_ = false;
      if (skip_transaction_) return {};
      replay_.commit();
      ++transactions;
      position_.lsn = last_commit_ = message.end_lsn;
      position_.streamed = true;
      return {};
    case 'O':
      origin_ = message.name;
      origin_lsn_ = message.commit_lsn;
      return {};
    case 'R': return relation(message);
    case 'I':
    case 'U':
    case 'D': return change(start, message, now_us);
    default: return {};  // types come again inside relations; truncates are skipped, as Debezium does by default
  }
}

Unit StreamCore::take() {
  Unit unit = builder_.take();
  // While something that landed is still awaited, the position stays: the proof is not complete.
  if (!in_transaction_ && replay_.done() && position_.lsn > taken_lsn_) {
    const bool past_snapshots = !position_.snapshots.empty() &&
                                std::all_of(position_.snapshots.begin(), position_.snapshots.end(),
                                            [&](const auto& snapshot) { return position_.lsn > snapshot.until; });
    if (past_snapshots) {
      position_.snapshots.clear();
      position_.tables.clear();
    }
    unit.position = position_;
    taken_lsn_ = position_.lsn;
  }
  return unit;
}

void StreamCore::advance(Lsn wal_end) {
  if (!in_transaction_ && replay_.done() && wal_end > position_.lsn) position_.lsn = wal_end;
}

}  // namespace millrace::cdc
