#include "disk/wal_places.h"

#include <fmt/format.h>

#include "storage/wal/slot_codec.h"

namespace millrace::disk {
namespace {

constexpr std::string_view kFirstLine = "millrace-disk-wal 1\n";

std::string key_of(const cluster::WalId& wal) { return storage::wal_prefix(wal.broker_id, wal.incarnation) + "disk"; }

// The rest of the line after `name` and a space; moves on to the next line.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view name) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(name) || text.substr(name.size(), 1) != " ") return {};
  const auto value = text.substr(name.size() + 1, end - name.size() - 1);
  text.remove_prefix(end + 1);
  return value;
}

}  // namespace

std::string encode_wal_place(const WalPlace& place) {
  return fmt::format("{}volume {}\nplace {}\n", kFirstLine, place.volume.to_string(), place.where);
}

Result<WalPlace> decode_wal_place(std::string_view bytes) {
  const auto bad = [] { return fail(Code::kCorrupt, "not the place of a disk WAL"); };
  if (!bytes.starts_with(kFirstLine)) return bad();
  bytes.remove_prefix(kFirstLine.size());
  const auto volume = take_line(bytes, "volume");
  if (!volume) return bad();
  const auto where = take_line(bytes, "place");
  if (!where || !bytes.empty()) return bad();
  TRY(const Uuid id, Uuid::parse(*volume));
  return WalPlace{id, std::string(*where)};
}

Task<Result<void>> WalPlaces::claim(cluster::WalId wal, WalPlace place) {
  const std::string key = key_of(wal);
  SliceChain body;
  body.append_copy(encode_wal_place(place));
  const Result<std::string> put = co_await bucket_.put_if_absent(key, std::move(body));
  if (put) co_return Result<void>();
  if (put.error().code() != Code::kExists) co_return fail(Error(put.error()).with(key));
  // An earlier attempt of ours, or another process under our name.
  CO_TRY(const object::Object there, co_await bucket_.get(key));
  CO_TRY(const WalPlace claimed, decode_wal_place(there.body));
  if (claimed.volume == place.volume) co_return Result<void>();
  co_return fail(Code::kFenced, fmt::format("{}: another process writes this WAL, on {}", key, claimed.where));
}

Task<WalPlaces::Found> WalPlaces::find(cluster::WalId wal) {
  const std::string key = key_of(wal);
  if (const auto known = known_.find(key); known != known_.end()) {
    const Promise<Found> asked = known->second;
    co_return co_await asked.wait();
  }
  const Promise<Found> answer;
  known_.emplace(key, answer);
  Found found;
  Result<object::Object> got = co_await bucket_.get(key);
  if (got) {
    auto place = decode_wal_place(got->body);
    if (place) {
      found = std::optional<WalPlace>(std::move(*place));
    } else {
      found = fail(std::move(place).error().with(key));
    }
  } else if (got.error().code() != Code::kNotFound) {
    found = fail(std::move(got).error().with(key));
  }
  if (!found) known_.erase(key);
  answer.set(found);
  co_return found;
}

}  // namespace millrace::disk
