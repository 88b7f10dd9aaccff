#include "app/wal_choice.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>

#include "disk/posix_disk.h"

namespace millrace::app {
namespace {

constexpr std::string_view kDiskPrefix = "disk:";

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

// Where a setting came from, for people.
std::string origin_of(const Config& config, std::string_view name) {
  for (const auto& setting : config.settings()) {
    if (setting.name == name && !setting.origin.empty()) return setting.origin;
  }
  return std::string(name);
}

bool is_default(const Config& config, std::string_view name) {
  for (const auto& setting : config.settings()) {
    if (setting.name == name) return setting.source == Source::kDefault;
  }
  return false;
}

// The PATH of disk:PATH; nothing for the bucket.
Result<std::optional<std::string>> disk_path(const Config& config) {
  const std::string& wal = config.get("wal.place");
  if (wal == "bucket") return std::nullopt;
  if (!wal.starts_with(kDiskPrefix)) {
    return fail(Code::kInvalid, fmt::format("{}: there is no WAL '{}'; it is bucket or disk:PATH",
                                            origin_of(config, "wal.place"), wal));
  }
  std::string path = wal.substr(kDiskPrefix.size());
  if (path.empty()) {
    return fail(Code::kInvalid, fmt::format("{}: disk: needs the path of a directory, as disk:/var/lib/millrace-wal",
                                            origin_of(config, "wal.place")));
  }
  return path;
}

// BROKER.INCARNATION, as the error says it that asks for wal.lost.
Result<cluster::WalId> wal_of_text(const std::string& text) {
  std::int32_t broker = 0;
  std::uint64_t incarnation = 0;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, broker);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == '.') {
    const auto second = std::from_chars(first.ptr + 1, end, incarnation);
    if (second.ec == std::errc() && second.ptr == end) return cluster::WalId{broker, cluster::Incarnation(incarnation)};
  }
  return fail(Code::kInvalid, fmt::format("wal.lost: '{}' is no WAL; it is BROKER.INCARNATION, as 1.27", text));
}

}  // namespace

Result<WalChoice> choose_wal(const Config& config, Random& random) {
  WalChoice choice;
  TRY(auto path, disk_path(config));
  TRY(const auto segment, config.get_int("wal.segment.bytes", 1 << 20, 1LL << 30));
  choice.options.segment_bytes = disk::whole_blocks(static_cast<std::uint64_t>(segment));
  for (const auto& text : config.get_list("wal.lost")) {
    TRY(const auto wal, wal_of_text(text));
    choice.options.lost.push_back(wal);
  }
  const std::string& drain = config.get("wal.drain");
  if (path && !drain.empty()) {
    return fail(Code::kInvalid, "wal.drain is for --wal bucket: it says which disk to leave");
  }
  choice.options.new_wals_on_disk = path.has_value();
  if (path) choice.kind = cluster::WalKind::kDisk;
  if (!path && drain.empty()) return choice;
  TRY(choice.disk, disk::open_posix_disk(path ? *path : drain, host_name(), random));
  return choice;
}

void tune_for_disk(const Config& config, storage::EngineOptions& options) {
  options.idle_puts_per_second_max = 1e6;
  if (is_default(config, "wal.cut.interval.ms")) options.cut_interval = 500us;
}

}  // namespace millrace::app
