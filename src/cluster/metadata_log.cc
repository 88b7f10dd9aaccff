#include "cluster/metadata_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "object/create.h"

namespace millrace::cluster {
namespace {

constexpr std::uint64_t kReadAheadMax = 64, kReadAheadAtStart = 16;
constexpr Duration kReadBackOffMax = 1s;

SliceChain chain_of(std::string bytes) {
  SliceChain chain;
  chain.append(Slice::of(std::move(bytes)));
  return chain;
}

std::unexpected<Error> fenced(std::string why) { return fail(Code::kFenced, std::move(why)); }

}  // namespace

MetadataLog::MetadataLog(Executor executor, Clock& clock, Random& random, object::Store& store, Duration deadline)
    : executor_(std::move(executor)),
      clock_(clock),
      random_(random),
      store_(store),
      deadline_(deadline),
      process_nonce_(random.next()) {}

// ---- reading ----

Task<Result<object::Object>> MetadataLog::get(std::string key) {
  const SteadyTime deadline = clock_.now() + deadline_;
  Duration pause = 10ms;
  for (;;) {
    Result<object::Object> object = co_await store_.get(key);
    if (object || !object.error().retriable() || clock_.now() >= deadline) co_return object;
    co_await sleep_for(clock_, pause / 2 + Duration(random_.below(static_cast<std::uint64_t>(pause.count()))));
    pause = std::min(pause * 2, kReadBackOffMax);
  }
}

Task<void> MetadataLog::get_into(std::string key, Result<object::Object>* out) { *out = co_await get(std::move(key)); }

Task<std::vector<Result<object::Object>>> MetadataLog::get_entries(LogSeq from, std::size_t count) {
  std::vector<Result<object::Object>> entries(count, fail(Code::kCancelled, "not read"));
  TaskScope scope(executor_);
  for (std::size_t i = 0; i < count; ++i) scope.spawn(get_into(log_key(LogSeq(from.value() + i)), &entries[i]));
  co_await scope.stop();
  co_return entries;
}

Task<Result<void>> MetadataLog::refresh_root() {
  const SteadyTime deadline = clock_.now() + deadline_;
  const std::uint64_t known = root_ ? root_->counter : 0;
  Duration pause = 10ms;
  for (;;) {
    Result<std::optional<object::Object>> found = co_await store_.get_if_changed(std::string(kRootKey), root_etag_);
    if (found) {
      if (*found) CO_TRY_VOID(take_root(**found, known));
      co_return Result<void>();
    }
    if (found.error().code() == Code::kNotFound) {
      if (!root_) co_return Result<void>();
      co_return fail(Code::kCorrupt, "meta/root has vanished from the bucket; restore it before starting again");
    }
    if (!found.error().retriable() || clock_.now() >= deadline) co_return fail(std::move(found).error());
    co_await sleep_for(clock_, pause / 2 + Duration(random_.below(static_cast<std::uint64_t>(pause.count()))));
    pause = std::min(pause * 2, kReadBackOffMax);
  }
}

Result<void> MetadataLog::take_root(const object::Object& object, std::uint64_t counter_min) {
  TRY(Root root, decode_root(object.body.view()));
  if (root.cluster_id != cluster_id_) {
    return fail(Code::kCorrupt, fmt::format("meta/root belongs to cluster {}, this bucket's format says {}",
                                            root.cluster_id.to_string(), cluster_id_.to_string()));
  }
  if (root.counter < counter_min)
    return fail(Code::kCorrupt, "meta/root went back in time: the bucket was restored under a running cluster");
  if (root_ && root.counter < root_->counter) return {};  // An answer that a newer one overtook.
  root_ = std::move(root);
  root_etag_ = object.etag;
  return {};
}

Task<Result<void>> MetadataLog::check_format() {
  Result<object::Object> there = co_await get(std::string(kFormatKey));
  if (!there && there.error().code() != Code::kNotFound) co_return fail(std::move(there).error());
  if (there) {
    CO_TRY(cluster_id_, decode_format(there->body.view()));
    co_return Result<void>();
  }
  cluster_id_ = Uuid::random(random_);
  object::CreateOptions options{.deadline = clock_.now() + deadline_};
  SliceChain body = chain_of(encode_format(cluster_id_));
  object::CreateResult made =
      co_await object::create_object(store_, clock_, random_, std::string(kFormatKey), std::move(body), options);
  if (made.outcome == object::CreateOutcome::kCreated) co_return Result<void>();
  if (made.outcome != object::CreateOutcome::kLost) co_return fail(std::move(made.error).with("creating the bucket"));
  CO_TRY(cluster_id_, decode_format(made.occupant.body.view()));
  co_return Result<void>();
}

Task<Result<void>> MetadataLog::open() {
  CO_TRY_VOID(co_await check_format());
  CO_TRY_VOID(co_await refresh_root());
  if (root_) CO_TRY_VOID(co_await load_snapshot());
  co_return co_await read_on(LogSeq(0), kReadAheadAtStart);
}

Task<Result<std::string>> MetadataLog::fetch_snapshot(SnapshotRef ref) {
  Result<object::Object> object = co_await get(ref.key);
  if (!object) co_return fail(std::move(object).error());
  if (object::sha256(object->body.view()) != ref.hash)
    co_return fail(Code::kCorrupt, fmt::format("{} does not have the hash that meta/root names", ref.key));
  co_return std::string(object->body.view());
}

Task<Result<void>> MetadataLog::load_snapshot() {
  Error last(Code::kCorrupt, "meta/root names no snapshot");
  for (int attempt = 0; attempt < 3; ++attempt) {
    const std::vector<SnapshotRef> candidates = root_->snapshots;
    for (const auto& ref : candidates) {
      Result<std::string> bytes = co_await fetch_snapshot(ref);
      Result<Snapshot> snapshot = bytes ? decode_snapshot(*bytes) : fail(bytes.error());
      Result<MetadataState> state = snapshot ? MetadataState::deserialize(snapshot->state) : fail(snapshot.error());
      if (state) {
        state_ = std::move(*state);
        next_ = snapshot->seq.next();
        last_hash_ = snapshot->last_hash;
        snapshot_seq_ = snapshot->seq;
        bytes_since_snapshot_ = 0;
        co_return Result<void>();
      }
      last = std::move(state).error().with(ref.key);
      if (last.code() == Code::kUnsupported || last.retriable()) co_return fail(last);
      LOG_WARN("meta.snapshot_unusable", {"key", ref.key}, {"error", last.to_string()});
    }
    CO_TRY_VOID(co_await refresh_root());  // A newer root may have replaced what we looked for.
  }
  co_return fail(std::move(last).with("no snapshot of the metadata can be read"));
}

Task<Result<void>> MetadataLog::catch_up(LogSeq known) { return read_on(known, 1); }

Task<Result<void>> MetadataLog::read_on(LogSeq known, std::size_t ahead) {
  do {
    const LogSeq from = next_;
    if (known >= from) ahead = static_cast<std::size_t>(std::min(known.value() - from.value() + 1, kReadAheadMax));
    const std::vector<Result<object::Object>> entries = co_await get_entries(from, ahead);
    // Rule 4: the floor is read after the entries; also after a 404, which may be a deleted entry (rule 18).
    CO_TRY_VOID(co_await refresh_root());
    if (floor() >= from) {
      CO_TRY_VOID(co_await load_snapshot());
      continue;
    }
    for (const auto& entry : entries) {
      if (!entry && entry.error().code() == Code::kNotFound) co_return Result<void>();
      if (!entry) co_return fail(entry.error());
      CO_TRY_VOID(apply_bytes(entry->body.view()));
    }
    ahead = std::min(ahead * 2, kReadAheadMax);
  } while (known == LogSeq(0) || next_ <= known);
  co_return Result<void>();
}

Result<void> MetadataLog::apply_bytes(std::string_view bytes) {
  const std::string key = log_key(next_);
  auto entry = decode_entry(bytes);
  if (!entry) return fail(std::move(entry).error().with(key));
  if (entry->seq != next_) return fail(Code::kCorrupt, fmt::format("{} holds entry {}", key, entry->seq.value()));
  if (entry->prev_hash != last_hash_) {
    LOG_WARN("meta.entry_void", {"seq", next_.value()}, {"writer", entry->writer_broker});
    next_ = next_.next();
    return {};
  }
  if (auto applied = state_.apply(next_, entry->records); !applied) {
    return fail(Code::kCorrupt, fmt::format("{} was committed but breaks a rule: {}", key, applied.error().message()));
  }
  last_hash_ = object::sha256(bytes);
  next_ = next_.next();
  bytes_since_snapshot_ += bytes.size();
  last_entry_bytes_ = bytes.size();
  return {};
}

// ---- writing ----

Task<Result<MetadataLog::Append>> MetadataLog::append(Writer writer, std::vector<Record> records) {
  LogEntry entry{.controller_epoch = writer.controller_epoch,
                 .writer_broker = writer.broker_id,
                 .writer_incarnation = writer.incarnation,
                 .nonce_high = process_nonce_,
                 .records = std::move(records)};
  for (;;) {
    entry.seq = next_;
    entry.nonce_low = random_.next();
    entry.prev_hash = last_hash_;
    const Slice bytes = Slice::of(encode_entry(entry));
    if (bytes.size() > kEntryBytesMax)
      co_return fail(Code::kExhausted, fmt::format("a metadata entry of {} bytes is too large", bytes.size()));
    SliceChain body;
    body.append(bytes);
    const object::CreateOptions options{.deadline = clock_.now() + deadline_};
    object::CreateResult made =
        co_await object::create_object(store_, clock_, random_, log_key(entry.seq), std::move(body), options);
    if (made.outcome == object::CreateOutcome::kRefused) co_return fail(std::move(made.error));
    if (made.outcome == object::CreateOutcome::kUnknown)
      co_return fenced(
          fmt::format("the outcome of metadata entry {} stays unknown: {}", entry.seq.value(), made.error.message()));
    // Rule 5: 412, then 404: the entry was there and is deleted, so the log has moved far past us.
    if (made.outcome == object::CreateOutcome::kDeleted)
      co_return fenced(fmt::format("metadata entry {} was written and deleted by others", entry.seq.value()));
    // Rule 5: after every success, 412-mine included, and before the occupant of a lost slot is judged.
    if (auto root = co_await refresh_root(); !root) co_return fenced(root.error().to_string());
    if (floor() >= entry.seq)
      co_return fenced(fmt::format("the floor {} of the log passed entry {}", floor().value(), entry.seq.value()));
    if (made.outcome == object::CreateOutcome::kCreated) {
      CO_TRY_VOID(apply_bytes(bytes.view()));
      co_return Append::kCommitted;
    }
    Result<Append> verdict = judge_occupant(writer, made.occupant.body.view());
    if (!verdict) co_return fail(std::move(verdict).error());
    if (*verdict == Append::kLost) co_return Append::kLost;
    next_ = next_.next();  // Void for everybody: step over it.
  }
}

// kLost: a valid entry. kCommitted stands for "void, go on".
Result<MetadataLog::Append> MetadataLog::judge_occupant(const Writer& writer, std::string_view bytes) {
  TRY(const LogEntry occupant, decode_entry(bytes));
  if (occupant.prev_hash != last_hash_) return Append::kCommitted;
  const bool claim = !occupant.records.empty() && std::holds_alternative<ClaimRecord>(occupant.records.front());
  // Rule 6: another Claim is a lost election; anything else of my own epoch cannot be.
  if (!claim && occupant.controller_epoch == writer.controller_epoch && writer.incarnation.value() != 0) {
    LOG_ERROR("meta.invariant_broken", {"seq", next_.value()}, {"epoch", writer.controller_epoch},
              {"writer", occupant.writer_broker});
  }
  return Append::kLost;
}

// ---- snapshots ----

Task<Result<void>> MetadataLog::publish_snapshot() {
  const LogSeq seq(next_.value() - 1);
  const std::uint64_t bytes_before = bytes_since_snapshot_;
  const Slice bytes = Slice::of(encode_snapshot({seq, last_hash_, state_.serialize()}));
  const SnapshotRef ref{seq, snapshot_key(seq, random_.next()), object::sha256(bytes.view())};
  SliceChain body;
  body.append(bytes);
  const object::CreateOptions options{.deadline = clock_.now() + deadline_};
  const object::CreateResult made =
      co_await object::create_object(store_, clock_, random_, ref.key, std::move(body), options);
  if (made.outcome != object::CreateOutcome::kCreated) co_return fail(made.error);
  Root root;
  root.cluster_id = cluster_id_;
  root.counter = root_ ? root_->counter + 1 : 1;
  root.nonce = random_.next();
  root.snapshots.push_back(ref);
  // Entries since the previous snapshot stay, so that a damaged newest one costs only a longer replay.
  if (root_) {
    if (root_->snapshots.front().seq >= seq) co_return Result<void>();
    root.snapshots.push_back(root_->snapshots.front());
    root.floor = root_->snapshots.front().seq;
  }
  CO_TRY_VOID(co_await swap_root(std::move(root)));
  snapshot_seq_ = seq;
  bytes_since_snapshot_ -= std::min(bytes_before, bytes_since_snapshot_);
  co_return co_await collect_below_floor();
}

// Answers success only when the root holds exactly these bytes. A swap whose outcome is unknown may still take effect
// later; its If-Match then keeps it from undoing a newer one.
Task<Result<void>> MetadataLog::swap_root(Root root) {
  const Slice bytes = Slice::of(encode_root(root));
  SliceChain body;
  body.append(bytes);
  if (!root_) {
    const object::CreateOptions options{.deadline = clock_.now() + deadline_};
    object::CreateResult made =
        co_await object::create_object(store_, clock_, random_, std::string(kRootKey), body, options);
    if (made.outcome != object::CreateOutcome::kCreated)
      co_return fail(std::move(made.error).with("creating meta/root"));
    co_return take_root(object::Object{bytes, made.etag}, root.counter);
  }
  const SteadyTime deadline = clock_.now() + deadline_;
  const std::string expected = root_etag_;
  for (Duration pause = 20ms;; pause = std::min(pause * 2, kReadBackOffMax)) {
    Result<std::string> put = co_await store_.put_if_match(std::string(kRootKey), body, expected);
    if (put) co_return take_root(object::Object{bytes, *put}, root.counter);
    const Error error = put.error();
    if (error.code() == Code::kNotFound) co_return fail(Code::kCorrupt, "meta/root has vanished from the bucket");
    if (error.code() == Code::kExists || error.code() == Code::kTimeout) {
      CO_TRY_VOID(co_await refresh_root());
      if (root_->nonce == root.nonce && root_->counter == root.counter) co_return Result<void>();
      if (root_etag_ != expected) co_return fail(Code::kExists, "another process published a snapshot");
    } else if (!error.retriable()) {
      co_return fail(error);
    }
    if (clock_.now() >= deadline) co_return fail(error);
    co_await sleep_for(clock_, pause);
  }
}

// Lists instead of counting from the last floor, so that what a crash left behind goes too.
Task<Result<void>> MetadataLog::collect_below_floor() {
  for (const std::string_view prefix : {kLogPrefix, kSnapshotPrefix}) {
    // Entries up to the floor; snapshots before it (the one at the floor is the spare).
    const std::uint64_t limit = prefix == kLogPrefix ? floor().value() + 1 : floor().value();
    for (;;) {
      auto listed = co_await store_.list(std::string(prefix), "", 1000);
      if (!listed) co_return fail(std::move(listed).error());
      std::vector<std::string> doomed;
      for (const auto& object : *listed) {
        const auto number = number_in_key(object.key, prefix);
        if (number && *number < limit) doomed.push_back(object.key);
      }
      if (doomed.empty()) break;
      CO_TRY_VOID(co_await store_.remove(std::move(doomed)));
    }
  }
  co_return Result<void>();
}

}  // namespace millrace::cluster
