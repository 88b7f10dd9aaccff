#include "cdc/position.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "cdc/json_out.h"

namespace millrace::cdc {
namespace {

constexpr std::int64_t kVersion = 1;

Error corrupt(std::string_view what) { return Error(Code::kCorrupt, fmt::format("position record: {}", what)); }

Result<std::uint64_t> parse_u64(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(Code::kCorrupt, fmt::format("\"{}\" is no number", text.substr(0, 40)));
  }
  return value;
}

using simdjson::dom::element;

Result<std::int64_t> number(const element& object, const char* name) {
  std::int64_t value = 0;
  if (object[name].get(value)) return fail(corrupt(fmt::format("\"{}\" is missing or no number", name)));
  return value;
}
Result<std::string> text(const element& object, const char* name) {
  std::string_view value;
  if (object[name].get(value)) return fail(corrupt(fmt::format("\"{}\" is missing or no text", name)));
  return std::string(value);
}

Result<void> read_snapshots(const element& root, Position& out) {
  simdjson::dom::array snapshots;
  if (root["snapshots"].get(snapshots)) return fail(corrupt("\"snapshots\" is missing"));
  for (const element one : snapshots) {
    TRY(const auto xids, text(one, "xids"));
    TRY(auto snapshot, parse_pg_snapshot(xids));
    TRY(const auto until, number(one, "until"));
    snapshot.until = static_cast<Lsn>(until);
    out.snapshots.push_back(std::move(snapshot));
  }
  simdjson::dom::object tables;
  if (root["tables"].get(tables)) return fail(corrupt("\"tables\" is missing"));
  for (const auto field : tables) {
    TRY(const auto index, number(field.value, "snapshot"));
    Position::Table table;
    table.snapshot = static_cast<std::size_t>(index);
    if (index < 0 || table.snapshot >= out.snapshots.size()) return fail(corrupt("a table names no snapshot"));
    if (field.value["done"].get(table.done)) return fail(corrupt("\"done\" is missing"));
    out.tables.emplace(std::string(field.key), table);
  }
  return {};
}

Result<void> read_offsets(const element& root, Position& out) {
  simdjson::dom::array offsets;
  if (root["offsets"].get(offsets)) return fail(corrupt("\"offsets\" is missing"));
  for (const element one : offsets) {
    TRY(auto topic, text(one, "topic"));
    TRY(const auto partition, number(one, "partition"));
    TRY(const auto offset, number(one, "next"));
    out.offsets[{std::move(topic), static_cast<std::int32_t>(partition)}] = offset;
  }
  return {};
}

}  // namespace

bool PgSnapshot::holds(std::uint32_t xid) const {
  // The id whose low half this is and which is nearest to xmax.
  std::uint64_t full = (xmax & ~std::uint64_t{0xffffffff}) | xid;
  constexpr std::uint64_t kHalf = std::uint64_t{1} << 31;
  if (full > xmax + kHalf && full >= 2 * kHalf) {
    full -= 2 * kHalf;
  } else if (full + kHalf < xmax) {
    full += 2 * kHalf;
  }
  if (full < xmin) return true;
  if (full >= xmax) return false;
  return !std::binary_search(running.begin(), running.end(), full);
}

Result<PgSnapshot> parse_pg_snapshot(std::string_view text) {
  PgSnapshot out;
  const auto first = text.find(':');
  const auto second = text.find(':', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) {
    return fail(Code::kCorrupt, fmt::format("\"{}\" is no snapshot", text.substr(0, 60)));
  }
  TRY(out.xmin, parse_u64(text.substr(0, first)));
  TRY(out.xmax, parse_u64(text.substr(first + 1, second - first - 1)));
  text.remove_prefix(second + 1);
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    TRY(const auto xid, parse_u64(text.substr(0, comma)));
    out.running.push_back(xid);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  std::sort(out.running.begin(), out.running.end());
  return out;
}

std::string to_text(const PgSnapshot& snapshot) {
  return fmt::format("{}:{}:{}", snapshot.xmin, snapshot.xmax, fmt::join(snapshot.running, ","));
}

std::string position_key(std::string_view prefix, std::string_view slot) {
  return fmt::format("{{\"prefix\":{},\"slot\":{}}}", json_string(prefix), json_string(slot));
}

std::string encode_position(const Position& position) {
  std::string out = fmt::format(
      R"({{"version":{},"system":{},"timeline":{},"phase":"{}","lsn":{},"streamed":{},"snapshots":[)", kVersion,
      json_string(position.system_id), position.timeline,
      position.phase == Position::Phase::kSnapshot ? "snapshot" : "streaming", position.lsn, position.streamed);
  std::string_view comma;
  for (const auto& snapshot : position.snapshots) {
    out += fmt::format("{}{{\"xids\":\"{}\",\"until\":{}}}", comma, to_text(snapshot), snapshot.until);
    comma = ",";
  }
  out += "],\"tables\":{";
  comma = "";
  for (const auto& [name, table] : position.tables) {
    out += fmt::format("{}{}:{{\"snapshot\":{},\"done\":{}}}", comma, json_string(name), table.snapshot, table.done);
    comma = ",";
  }
  out += "},\"offsets\":[";
  comma = "";
  for (const auto& [partition, next] : position.offsets) {
    out += fmt::format("{}{{\"topic\":{},\"partition\":{},\"next\":{}}}", comma, json_string(partition.topic),
                       partition.partition, next);
    comma = ",";
  }
  return out + "]}";
}

Result<Position> decode_position(std::string_view json) {
  simdjson::dom::parser parser;
  element root;
  const simdjson::padded_string padded(json);
  if (parser.parse(padded).get(root) || !root.is_object()) return fail(corrupt("no JSON object"));
  TRY(const auto version, number(root, "version"));
  if (version != kVersion) return fail(corrupt(fmt::format("version {} is not known here", version)));
  Position out;
  TRY(out.system_id, text(root, "system"));
  TRY(const auto timeline, number(root, "timeline"));
  out.timeline = static_cast<std::uint32_t>(timeline);
  TRY(const auto phase, text(root, "phase"));
  if (phase != "snapshot" && phase != "streaming") return fail(corrupt("\"phase\" is not known here"));
  out.phase = phase == "snapshot" ? Position::Phase::kSnapshot : Position::Phase::kStreaming;
  TRY(const auto lsn, number(root, "lsn"));
  out.lsn = static_cast<Lsn>(lsn);
  if (root["streamed"].get(out.streamed)) return fail(corrupt("\"streamed\" is missing"));
  TRY_VOID(read_snapshots(root, out));
  TRY_VOID(read_offsets(root, out));
  return out;
}

Result<LandedEvent> decode_landed_event(std::string_view json) {
  thread_local simdjson::dom::parser parser;
  element root, source, payload;
  const auto broken = [] { return fail(Code::kCorrupt, "a record that is no change event"); };
  const simdjson::padded_string padded(json);
  if (parser.parse(padded).get(root)) return broken();
  if (!root["payload"].get(payload) && payload.is_object()) root = payload;
  if (root["source"].get(source)) return broken();
  LandedEvent out;
  std::string_view name, snapshot;
  std::int64_t lsn = 0;
  if (source["name"].get(name) || source["snapshot"].get(snapshot) || source["txId"].get(out.xid) ||
      source["lsn"].get(lsn)) {
    return broken();
  }
  out.name = name;
  out.snapshot = snapshot;
  out.lsn = static_cast<Lsn>(lsn);
  return out;
}

}  // namespace millrace::cdc
