#include "disk/wal_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "base/crc32c.h"
#include "base/log.h"
#include "disk/metrics.h"
#include "disk/segment_scan.h"
#include "disk/wal_places.h"
#include "object/digest.h"

namespace millrace::disk {
namespace {

using cluster::SlotNumber;

constexpr Duration kPrepareRetry = 1s;
constexpr Duration kDropPause = 10s;
constexpr int kNamesTakenMax = 16;

// Where an access to a WAL key goes.
enum class Side { kDisk, kBucket };

cluster::WalId wal_of(const SlotAddress& address) { return {address.broker_id, address.incarnation}; }

class WalStoreImpl final : public WalStore {
 public:
  WalStoreImpl(Executor executor, Clock& clock, Random& random, Metrics& metrics, std::unique_ptr<object::Store> bucket,
               std::unique_ptr<WalDisk> disk, WalStoreOptions options)
      : clock_(clock),
        random_(random),
        metrics_(metrics),
        bucket_(std::move(bucket)),
        disk_(std::move(disk)),
        options_(std::move(options)),
        places_(*bucket_),
        scope_(std::move(executor)) {}

  Task<Result<void>> open();
  Task<bool> ended_here(cluster::WalId wal) override;
  Task<void> stop() override { return scope_.stop(); }

  Task<Result<std::string>> put_if_absent(std::string key, SliceChain body) override;
  Task<Result<std::string>> put_if_match(std::string key, SliceChain body, std::string etag) override {
    return bucket_->put_if_match(std::move(key), std::move(body), std::move(etag));  // never of the WAL
  }
  Task<Result<object::Object>> get(std::string key) override;
  Task<Result<Slice>> get_range(std::string key, object::ByteRange range) override;
  Task<Result<std::optional<object::Object>>> get_if_changed(std::string key, std::string etag) override;
  Task<Result<void>> remove(std::vector<std::string> keys) override;
  Task<Result<std::vector<object::Listed>>> list(std::string prefix, std::string start_after,
                                                 std::size_t limit) override;

 private:
  struct Waiting {
    SlotAddress address;
    SliceChain body;
    Promise<Result<void>> done;
  };
  // The incarnation that this process opened last, and where its data slots go.
  struct Writer {
    cluster::WalId wal;
    Side side = Side::kBucket;
  };

  Task<Result<void>> know_disk();
  Task<Result<void>> scan_once();
  Task<Result<void>> scan();
  Task<Result<void>> know_bucket();
  Task<Result<Side>> side_of(SlotAddress address);
  Task<Result<void>> begin(SlotAddress opening);
  bool is_own(const SlotAddress& address) const { return writer_ && writer_->wal == wal_of(address); }
  bool writes(const SlotAddress& address) const {
    return is_own(address) && writer_->side == Side::kDisk && address.slot > SlotNumber(0);
  }

  Task<Result<std::string>> put_on_disk(SlotAddress address, SliceChain body);
  Task<void> write_waiting();
  std::vector<FrameInput> take_group(std::vector<Promise<Result<void>>>& answers);
  Task<Result<void>> write_frame(std::vector<FrameInput> inputs);
  Task<Result<WalCore::Spot>> room_for(std::uint64_t size);
  void give_up(Error why);

  Task<Result<void>> prepare(std::uint64_t segment_bytes);
  Task<Result<void>> prepare_one(std::uint64_t segment_bytes);
  Task<void> prepare_ahead();
  Task<Result<SegmentId>> free_segment(std::uint64_t segment_bytes);
  Task<void> drop_surplus();
  Task<Result<Slice>> read(Placement place, object::ByteRange range);
  void tell_sizes();

  Clock& clock_;
  Random& random_;
  DiskMetrics metrics_;
  std::unique_ptr<object::Store> bucket_;
  std::unique_ptr<WalDisk> disk_;  // may be null
  WalStoreOptions options_;
  WalPlaces places_;
  WalCore core_;
  Uuid bucket_id_;  // zero: there is no cluster in it yet
  std::uint64_t next_sequence_ = 1, next_file_ = 1;
  bool disk_known_ = false, disk_checked_ = false, scanning_ = false;
  Event scanned_;
  std::optional<Writer> writer_;
  std::deque<Waiting> waiting_;
  bool writing_ = false, preparing_ = false, dropping_ = false;
  SteadyTime prepare_again_at_{};
  Event prepared_;
  std::optional<Error> broken_;
  TaskScope scope_;
};

// A volume that comes from another host is not looked at before this process has registered and waited for the lease:
// until then its holder may write, and acknowledge, there (rule 26). The first access to a WAL comes after that.
Task<Result<void>> WalStoreImpl::open() {
  if (!disk_ || !disk_->held_here_before()) co_return Result<void>();
  co_return co_await scan_once();
}

// What was read when this process started is stale when another host had the volume since (a suspended start).
Task<Result<void>> WalStoreImpl::know_disk() {
  if (!disk_ || disk_checked_) co_return Result<void>();
  CO_TRY_VOID(co_await scan_once());
  const bool last = co_await disk_->still_last();
  if (!last) {
    co_return fail(Code::kDenied, fmt::format("the volume of {} was opened on another host since this process started: "
                                              "stop one of the two, and start again",
                                              disk_->place()));
  }
  disk_checked_ = true;
  co_return Result<void>();
}

Task<Result<void>> WalStoreImpl::scan_once() {
  if (disk_known_) co_return Result<void>();
  while (scanning_) co_await scanned_.wait();
  if (disk_known_) co_return Result<void>();
  scanning_ = true;
  Result<void> done = co_await scan();
  scanning_ = false;
  disk_known_ = done.has_value();
  scanned_.pulse();
  co_return done;
}

Task<Result<void>> WalStoreImpl::scan() {
  core_ = WalCore();
  auto scanned = co_await scan_segments(*disk_, core_, options_.lost);
  if (!scanned) co_return fail(std::move(scanned).error().with("WAL directory " + disk_->place()));
  if (!scanned->buckets.empty()) CO_TRY_VOID(co_await know_bucket());
  for (const auto& [id, segment] : scanned->buckets) {
    if (id == bucket_id_) continue;
    // Numbers of brokers and incarnations begin anew in each bucket: its slots would be taken for ours.
    co_return fail(Code::kDenied,
                   fmt::format("WAL directory {} holds records of another bucket (segment {}); give this one "
                               "a directory of its own, or remove that one if its bucket is gone",
                               disk_->place(), segment));
  }
  // Rule 30: a write that another host sent may land late, in its own segments.
  if (!disk_->held_here_before() && options_.sabotage != Sabotage::kReuseForeign) core_.all_foreign();
  next_sequence_ = scanned->sequence_max + 1;
  next_file_ = scanned->file_number_max + 1;
  tell_sizes();
  LOG_INFO("disk.opened", {"place", disk_->place()}, {"volume", disk_->volume().to_string()},
           {"segments", scanned->segments}, {"frames", scanned->frames}, {"slots", core_.slots()});
  co_return Result<void>();
}

// `format` names the cluster and is written once (docs/formats/bucket-layout.md).
Task<Result<void>> WalStoreImpl::know_bucket() {
  Result<object::Object> format = co_await bucket_->get("format");
  if (!format && format.error().code() == Code::kNotFound) co_return Result<void>();
  if (!format) co_return fail(std::move(format).error().with("reading what bucket this is"));
  const auto digest = object::sha256(format->body);
  std::copy_n(digest.begin(), bucket_id_.bytes.size(), bucket_id_.bytes.begin());
  co_return Result<void>();
}

// ---- which side ----

Task<Result<Side>> WalStoreImpl::side_of(SlotAddress address) {
  if (writes(address) || core_.find(address)) co_return Side::kDisk;
  // What this process opened in the bucket, or what is known to lie here; a slot that is not on this disk may have a
  // Seal.
  if (is_own(address) || core_.holds_any_of(wal_of(address))) co_return Side::kBucket;
  const auto lost = std::find(options_.lost.begin(), options_.lost.end(), wal_of(address));
  if (lost != options_.lost.end()) co_return Side::kBucket;
  CO_TRY(const auto place, co_await places_.find(wal_of(address)));
  if (!place || (disk_ && place->volume == disk_->volume())) co_return Side::kBucket;
  co_return fail(
      Code::kDenied,
      fmt::format(
          "the WAL of broker {}, incarnation {} lies on the disk {} (volume {}), which this process does not hold. "
          "Start on that disk with --wal disk:PATH, or with --set wal.drain=PATH to leave it; if it is gone for "
          "good, --set wal.lost={}.{} gives up what was acknowledged and lies only there",
          address.broker_id, address.incarnation.value(), place->where, place->volume.to_string(), address.broker_id,
          address.incarnation.value()));
}

Task<bool> WalStoreImpl::ended_here(cluster::WalId wal) {
  if (!disk_ || !disk_->held_here_before()) co_return false;
  const auto place = co_await places_.find(wal);
  const bool last = co_await disk_->still_last();
  co_return last&& place && *place && (*place)->volume == disk_->volume();
}

// Slot 0: from here on this process is the writer of that incarnation. The bucket is told where before anything is
// here.
Task<Result<void>> WalStoreImpl::begin(SlotAddress opening) {
  const bool on_disk = disk_ && options_.new_wals_on_disk;
  if (on_disk) {
    CO_TRY_VOID(co_await know_bucket());
    WalPlace place{disk_->volume(), disk_->place()};
    CO_TRY_VOID(co_await places_.claim(wal_of(opening), std::move(place)));
  }
  if (is_own(opening)) co_return Result<void>();
  while (writing_ || preparing_) co_await prepared_.wait();
  core_.retire();
  writer_ = Writer{wal_of(opening), on_disk ? Side::kDisk : Side::kBucket};
  if (on_disk) scope_.spawn(prepare_ahead());
  co_return Result<void>();
}

// ---- the store ----

Task<Result<std::string>> WalStoreImpl::put_if_absent(std::string key, SliceChain body) {
  const auto address = storage::parse_slot_key(key);
  if (!address) co_return co_await bucket_->put_if_absent(std::move(key), std::move(body));
  CO_TRY_VOID(co_await know_disk());
  if (writes(*address)) co_return co_await put_on_disk(*address, std::move(body));
  if (address->slot == SlotNumber(0)) {
    CO_TRY_VOID(co_await begin(*address));
  } else {
    CO_TRY(const Side side, co_await side_of(*address));
    // Rule 30: nobody but its writer adds to a WAL on a disk.
    if (side == Side::kDisk) co_return fail(Code::kExists, fmt::format("slot '{}' is on the disk", key));
  }
  co_return co_await bucket_->put_if_absent(std::move(key), std::move(body));
}

Task<Result<object::Object>> WalStoreImpl::get(std::string key) {
  const auto address = storage::parse_slot_key(key);
  if (!address) co_return co_await bucket_->get(std::move(key));
  CO_TRY_VOID(co_await know_disk());
  CO_TRY(const Side side, co_await side_of(*address));
  if (side == Side::kBucket) co_return co_await bucket_->get(std::move(key));
  const auto place = core_.find(*address);
  if (!place) co_return fail(Code::kNotFound, fmt::format("no slot '{}' on the disk", key));
  CO_TRY(Slice body, co_await read(*place, {0, place->size}));
  if (body.size() != place->size || crc32c(body) != place->crc) {
    co_return fail(Code::kCorrupt, fmt::format("slot '{}' does not match its checksum on {}", key, disk_->place()));
  }
  object::Object found;
  found.etag = object::large_etag(place->size, place->crc);
  found.body = std::move(body);
  co_return found;
}

Task<Result<Slice>> WalStoreImpl::get_range(std::string key, object::ByteRange range) {
  const auto address = storage::parse_slot_key(key);
  if (!address) co_return co_await bucket_->get_range(std::move(key), range);
  CO_TRY_VOID(co_await know_disk());
  CO_TRY(const Side side, co_await side_of(*address));
  if (side == Side::kBucket) co_return co_await bucket_->get_range(std::move(key), range);
  const auto place = core_.find(*address);
  if (!place) co_return fail(Code::kNotFound, fmt::format("no slot '{}' on the disk", key));
  if (range.offset > place->size) {
    co_return fail(Code::kInvalid,
                   fmt::format("range at {} begins after the {} bytes of '{}'", range.offset, place->size, key));
  }
  co_return co_await read(*place, range);
}

Task<Result<std::optional<object::Object>>> WalStoreImpl::get_if_changed(std::string key, std::string etag) {
  if (!storage::parse_slot_key(key)) co_return co_await bucket_->get_if_changed(std::move(key), std::move(etag));
  CO_TRY(object::Object found, co_await get(std::move(key)));
  if (found.etag == etag) co_return std::optional<object::Object>();
  co_return std::optional<object::Object>(std::move(found));
}

Task<Result<void>> WalStoreImpl::remove(std::vector<std::string> keys) {
  const bool slots =
      std::ranges::any_of(keys, [](const auto& key) { return storage::parse_slot_key(key).has_value(); });
  if (slots) CO_TRY_VOID(co_await know_disk());
  std::vector<std::string> elsewhere;
  for (auto& key : keys) {
    const auto address = storage::parse_slot_key(key);
    if (address && (core_.remove(*address) || writes(*address))) continue;
    elsewhere.push_back(std::move(key));
  }
  tell_sizes();
  if (!dropping_ && !core_.surplus(options_.spares_max).empty()) scope_.spawn(drop_surplus());
  if (elsewhere.empty()) co_return Result<void>();
  co_return co_await bucket_->remove(std::move(elsewhere));
}

Task<Result<std::vector<object::Listed>>> WalStoreImpl::list(std::string prefix, std::string start_after,
                                                             std::size_t limit) {
  if (prefix.starts_with("wal/")) CO_TRY_VOID(co_await know_disk());
  CO_TRY(auto in_bucket, co_await bucket_->list(prefix, start_after, limit));
  const auto here = core_.list(prefix, start_after, limit);
  if (here.empty()) co_return in_bucket;
  std::vector<object::Listed> both;
  std::merge(in_bucket.begin(), in_bucket.end(), here.begin(), here.end(), std::back_inserter(both),
             [](const auto& a, const auto& b) { return a.key < b.key; });
  // Each side was cut at the limit by itself: what lies behind it may have gaps.
  if (both.size() > limit) both.resize(limit);
  co_return both;
}

// A segment that is read from is not used again meanwhile.
Task<Result<Slice>> WalStoreImpl::read(Placement place, object::ByteRange range) {
  const std::string name = core_.segment(place.segment).name;
  const object::ByteRange bytes{place.position + range.offset, std::min(range.size, place.size - range.offset)};
  core_.begin_read(place.segment);
  Result<Slice> got = co_await disk_->read(name, bytes);
  core_.end_read(place.segment);
  co_return got;
}

// ---- writing ----

Task<Result<std::string>> WalStoreImpl::put_on_disk(SlotAddress address, SliceChain body) {
  if (core_.find(address)) co_return fail(Code::kExists, "slot is there: " + storage::slot_key(address));
  if (broken_) co_return fail(Error(*broken_));
  const std::size_t size = body.size();
  const Promise<Result<void>> done;
  waiting_.push_back({address, std::move(body), done});
  if (!writing_) {
    writing_ = true;
    scope_.spawn(write_waiting());
  }
  CO_TRY_VOID(co_await done.wait());
  co_return fmt::format("{}-{}", address.slot.value(), size);
}

Task<void> WalStoreImpl::write_waiting() {
  while (!waiting_.empty()) {
    std::vector<Promise<Result<void>>> answers;
    auto inputs = take_group(answers);
    const Result<void> written = co_await write_frame(std::move(inputs));
    for (const auto& answer : answers) answer.set(written);
    if (!broken_) continue;
    for (const auto& other : waiting_) other.done.set(fail(Error(*broken_)));
    waiting_.clear();
  }
  writing_ = false;
  prepared_.pulse();
}

std::vector<FrameInput> WalStoreImpl::take_group(std::vector<Promise<Result<void>>>& answers) {
  std::vector<std::uint64_t> sizes;
  for (const auto& each : waiting_) {
    sizes.push_back(each.body.size());
    if (sizes.size() >= kFrameRecordsMax) break;
  }
  std::vector<FrameInput> inputs;
  for (std::size_t left = group_of(sizes, options_.group); left > 0; --left) {
    inputs.push_back({waiting_.front().address, std::move(waiting_.front().body)});
    answers.push_back(waiting_.front().done);
    waiting_.pop_front();
  }
  return inputs;
}

Task<Result<void>> WalStoreImpl::write_frame(std::vector<FrameInput> inputs) {
  std::uint64_t body_bytes = 0;
  for (const auto& input : inputs) body_bytes += input.body.size();
  const std::uint64_t size = frame_bytes(inputs.size(), body_bytes);
  CO_TRY(const WalCore::Spot spot, co_await room_for(size));
  const auto& segment = core_.segment(spot.segment);
  EncodedFrame frame = encode_frame(segment.nonce, spot.position, inputs);
  const SteadyTime begin = clock_.now();
  Result<void> written = co_await disk_->write(segment.name, spot.position, std::move(frame.bytes));
  if (!written && options_.sabotage == Sabotage::kAckUnsynced) written = {};
  if (!written && options_.sabotage == Sabotage::kSyncAgain) written = co_await disk_->sync(segment.name);
  if (!written) {
    metrics_.failures.Increment();
    if (written.error().code() == Code::kExhausted) co_return written;
    // Rule 29: whether it is there will be known by reading the disk, after a restart.
    give_up(written.error());
    co_return fail(Code::kTimeout, written.error().message());
  }
  metrics_.write_seconds.Observe(std::chrono::duration<double>(clock_.now() - begin).count());
  metrics_.frames.Increment();
  metrics_.slots.Increment(static_cast<double>(inputs.size()));
  metrics_.bytes.Increment(static_cast<double>(size));
  core_.written(spot, size);
  // Rule 25: after the sync, before the ack.
  if (options_.still_held) {
    const Result<void> held = co_await options_.still_held();
    if (!held) {
      give_up(held.error());
      co_return fail(Code::kTimeout, held.error().message());
    }
  }
  for (const auto& record : frame.records) core_.note(record, spot.segment);
  if (core_.wants_next() && !preparing_) scope_.spawn(prepare_ahead());
  tell_sizes();
  co_return Result<void>();
}

void WalStoreImpl::give_up(Error why) {
  if (broken_) return;
  broken_ = Error(Code::kDenied, fmt::format("the WAL on {} takes no more writes: {}; restart to recover what it holds",
                                             disk_->place(), why.message()));
  LOG_WARN("disk.given_up", {"place", disk_->place()}, {"reason", why.message()});
}

Task<Result<WalCore::Spot>> WalStoreImpl::room_for(std::uint64_t size) {
  for (;;) {
    if (const auto spot = core_.place(size)) co_return *spot;
    if (preparing_) {
      co_await prepared_.wait();
      continue;
    }
    CO_TRY_VOID(co_await prepare(std::max(options_.segment_bytes, kBlockBytes + size)));
  }
}

// ---- segments ----

Task<Result<void>> WalStoreImpl::prepare(std::uint64_t segment_bytes) {
  preparing_ = true;
  Result<void> done = co_await prepare_one(segment_bytes);
  preparing_ = false;
  prepared_.pulse();
  co_return done;
}

// A segment with a header of ours, durable before the first frame is: no frame is ever read under another use's header.
Task<Result<void>> WalStoreImpl::prepare_one(std::uint64_t segment_bytes) {
  CHECK(writer_ && writer_->side == Side::kDisk);
  SegmentHeader header;
  header.volume = disk_->volume();
  header.bucket = bucket_id_;
  header.nonce = options_.sabotage == Sabotage::kSameNonce ? 1 : random_.next();
  header.sequence = next_sequence_++;
  header.broker_id = writer_->wal.broker_id;
  header.incarnation = writer_->wal.incarnation;
  CO_TRY(const SegmentId id, co_await free_segment(segment_bytes));
  const std::string name = core_.segment(id).name;
  header.size = core_.segment(id).size;
  SliceChain block;
  block.append(encode_segment_header(header));
  core_.begin_read(id);  // nobody else takes it meanwhile
  const Result<void> written = co_await disk_->write(name, 0, std::move(block));
  core_.end_read(id);
  if (!written) {
    if (written.error().code() != Code::kExhausted) give_up(written.error());
    co_return fail(Error(broken_ ? *broken_ : written.error()));
  }
  core_.prepared(id, header.nonce);
  co_return Result<void>();
}

Task<Result<SegmentId>> WalStoreImpl::free_segment(std::uint64_t segment_bytes) {
  if (const auto found = core_.reusable(segment_bytes)) {
    metrics_.reused.Increment();
    co_return *found;
  }
  std::string name = segment_name(next_file_++);
  Result<void> created = co_await disk_->create(name, segment_bytes);
  // What another host may have made since the scan keeps its name.
  for (int more = 0; more < kNamesTakenMax && !created && created.error().code() == Code::kExists; ++more) {
    name = segment_name(next_file_++);
    created = co_await disk_->create(name, segment_bytes);
  }
  if (!created) {
    if (created.error().code() != Code::kExhausted) give_up(created.error());
    co_return fail(Error(broken_ ? *broken_ : created.error()));
  }
  metrics_.created.Increment();
  const SegmentId id = core_.add(name, segment_bytes);
  tell_sizes();
  co_return id;
}

// Before the active one is full: a new one takes a while to be written once. When it fails, the next frame tries again.
Task<void> WalStoreImpl::prepare_ahead() {
  const SteadyTime now = clock_.now();
  if (preparing_ || broken_ || core_.has_ready() || now < prepare_again_at_) co_return;
  const Result<void> done = co_await prepare(options_.segment_bytes);
  if (done) co_return;
  prepare_again_at_ = now + kPrepareRetry;
  LOG_WARN("disk.no_segment", {"place", disk_->place()}, {"error", done.error().message()});
}

// One after the other with pauses: while a file system frees a segment (and tells the device), writes wait: 20 ms seen.
Task<void> WalStoreImpl::drop_surplus() {
  dropping_ = true;
  while (!scope_.stopping().is_set()) {
    const auto surplus = core_.surplus(options_.spares_max);
    if (surplus.empty()) break;
    const std::string name = core_.segment(surplus.front()).name;
    core_.forget(surplus.front());
    tell_sizes();
    const Result<void> removed = co_await disk_->remove(name);
    if (!removed) LOG_WARN("disk.segment_left", {"segment", name}, {"error", removed.error().message()});
    const SteadyTime next = clock_.now() + kDropPause;
    co_await scope_.stopping().wait_until(clock_, next);
  }
  dropping_ = false;
}

void WalStoreImpl::tell_sizes() {
  std::uint64_t bytes = 0;
  for (const auto& [id, segment] : core_.segments()) bytes += segment.size;
  metrics_.segments.Set(static_cast<double>(core_.segments().size()));
  metrics_.segment_bytes.Set(static_cast<double>(bytes));
  metrics_.needed_bytes.Set(static_cast<double>(core_.slot_bytes()));
}

}  // namespace

Task<Result<std::unique_ptr<WalStore>>> open_wal_store(Executor executor, Clock& clock, Random& random,
                                                       Metrics& metrics, std::unique_ptr<object::Store> bucket,
                                                       std::unique_ptr<WalDisk> disk, WalStoreOptions options) {
  CHECK(bucket != nullptr);
  auto store = std::make_unique<WalStoreImpl>(std::move(executor), clock, random, metrics, std::move(bucket),
                                              std::move(disk), std::move(options));
  CO_TRY_VOID(co_await store->open());
  std::unique_ptr<WalStore> opened = std::move(store);
  co_return opened;
}

}  // namespace millrace::disk
