#include "disk/segment_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/log.h"

namespace millrace::disk {
namespace {

constexpr std::uint64_t kWindowBytes = 4 << 20;

// The frames of one use, in order. `window` holds the file's bytes from `window_at` on.
class FrameReader {
 public:
  FrameReader(WalDisk& disk, const DiskFile& file, std::uint64_t nonce) : disk_(disk), file_(file), nonce_(nonce) {}

  // No records at the end.
  Task<Result<std::vector<FrameRecord>>> next() {
    std::vector<FrameRecord> none;
    if (file_.size - at_ < kBlockBytes) co_return none;
    CO_TRY_VOID(co_await load(kBlockBytes));
    const auto size = frame_size(here(), nonce_, at_, file_.size - at_);
    if (!size) co_return none;
    CO_TRY_VOID(co_await load(*size));
    if (here().size() < *size) co_return none;
    auto records = decode_frame(here().substr(0, *size), nonce_, at_);
    if (!records) {
      LOG_INFO("disk.torn_frame", {"segment", file_.name}, {"position", at_}, {"why", records.error().message()});
      co_return none;
    }
    at_ += *size;
    co_return std::move(*records);
  }

  // A frame is written when the one before it is durable: one that lies beyond the end shows that the end is none, and
  // that the disk lost what it had promised to keep.
  Task<Result<std::optional<std::uint64_t>>> frame_beyond_the_end() {
    const std::uint64_t end = at_;
    std::optional<std::uint64_t> beyond;
    for (at_ = end + kBlockBytes; !beyond && at_ + kBlockBytes <= file_.size; at_ += kBlockBytes) {
      CO_TRY_VOID(co_await load(kBlockBytes));
      if (frame_size(here(), nonce_, at_, file_.size - at_)) beyond = at_;
    }
    at_ = end;
    co_return beyond;
  }
  std::uint64_t end() const { return at_; }

 private:
  std::string_view here() const { return window_.view().substr(at_ - window_at_); }

  Task<Result<void>> load(std::uint64_t size) {
    if (at_ + size <= window_at_ + window_.size()) co_return Result<void>();
    const object::ByteRange range{at_, std::min(std::max(size, kWindowBytes), file_.size - at_)};
    CO_TRY(window_, co_await disk_.read(file_.name, range));
    window_at_ = at_;
    co_return Result<void>();
  }

  WalDisk& disk_;
  const DiskFile& file_;
  std::uint64_t nonce_;
  std::uint64_t at_ = kBlockBytes;
  std::uint64_t window_at_ = 0;
  Slice window_;
};

using Lost = std::vector<cluster::WalId>;

Task<Result<void>> scan_segment(WalDisk& disk, WalCore& core, DiskFile file, const Lost& lost, Scanned& scanned) {
  CO_TRY_VOID(co_await disk.sync(file.name));
  const object::ByteRange first{0, kBlockBytes};
  CO_TRY(const Slice block, co_await disk.read(file.name, first));
  const auto header = decode_segment_header(block);
  if (!header && header.error().code() != Code::kCorrupt) co_return fail(Error(header.error()).with(file.name));
  const SegmentId id = core.add(file.name, file.size);
  ++scanned.segments;
  if (!header) co_return Result<void>();  // made, never used
  if (header->volume != disk.volume()) {
    co_return fail(Code::kCorrupt, fmt::format("segment {} belongs to volume {}, this directory is volume {}: move the "
                                               "file back to where it came from",
                                               file.name, header->volume.to_string(), disk.volume().to_string()));
  }
  scanned.sequence_max = std::max(scanned.sequence_max, header->sequence);
  const cluster::WalId wal{header->broker_id, header->incarnation};
  if (std::find(lost.begin(), lost.end(), wal) != lost.end()) co_return Result<void>();
  FrameReader reader(disk, file, header->nonce);
  for (;;) {
    CO_TRY(const auto records, co_await reader.next());
    if (records.empty()) break;
    ++scanned.frames;
    scanned.buckets.try_emplace(header->bucket, file.name);
    for (const auto& record : records) {
      // Rule 31: a record says which incarnation it is of, as its segment does.
      if (record.address.broker_id != header->broker_id || record.address.incarnation != header->incarnation) {
        co_return fail(Code::kCorrupt, fmt::format("segment {} holds a slot of another WAL, {}", file.name,
                                                   storage::slot_key(record.address)));
      }
      core.note(record, id);
    }
  }
  CO_TRY(const auto beyond, co_await reader.frame_beyond_the_end());
  if (beyond) {
    co_return fail(Code::kCorrupt,
                   fmt::format("segment {0} is damaged at {1}: a later frame is there, at {2}. Restore the directory, "
                               "or give up what no data object "
                               "holds yet with --set wal.lost={3}.{4}",
                               file.name, reader.end(), *beyond, wal.broker_id, wal.incarnation.value()));
  }
  co_return co_await disk.sync(file.name);
}

}  // namespace

std::string segment_name(std::uint64_t number) { return fmt::format("{:012}.wal", number); }

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
  if (!name.ends_with(".wal")) return std::nullopt;
  name.remove_suffix(4);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

Task<Result<Scanned>> scan_segments(WalDisk& disk, WalCore& core, const std::vector<cluster::WalId>& lost) {
  Scanned scanned;
  CO_TRY(const auto files, co_await disk.list());
  for (const auto& file : files) {
    const auto number = parse_segment_name(file.name);
    if (!number) continue;
    scanned.file_number_max = std::max(scanned.file_number_max, *number);
    if (file.size < 2 * kBlockBytes || file.size % kBlockBytes != 0) {
      CO_TRY_VOID(co_await disk.remove(file.name));
      continue;
    }
    CO_TRY_VOID(co_await scan_segment(disk, core, file, lost, scanned));
  }
  co_return scanned;
}

}  // namespace millrace::disk
