#include "cluster/bucket_layout.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "base/crc32c.h"
#include "cluster/wire.h"

namespace millrace::cluster {
namespace {

constexpr std::string_view kFormatHead = "millrace bucket version 1\ncluster_id ";
constexpr std::uint32_t kRootMagic = 0x4d525254;      // "MRRT"
constexpr std::uint32_t kSnapshotMagic = 0x4d52534e;  // "MRSN"
constexpr std::uint8_t kVersion = 1;

object::Digest get_digest(ByteReader& in) {
  object::Digest digest{};
  const std::string_view bytes = in.bytes(digest.size());
  if (in.ok()) std::memcpy(digest.data(), bytes.data(), digest.size());
  return digest;
}

// Checks head and checksum; what is between goes to the caller.
Result<std::string_view> open_envelope(std::string_view bytes, std::uint32_t magic, std::string_view what) {
  if (bytes.size() < 9 || load_be<std::uint32_t>(bytes.data()) != magic)
    return fail(Code::kCorrupt, fmt::format("{} is truncated or no {}", what, what));
  const auto version = static_cast<std::uint8_t>(bytes[4]);
  if (version != kVersion)
    return fail(Code::kUnsupported, fmt::format("{} has format version {}; upgrade this Millrace", what, version));
  const std::size_t body_end = bytes.size() - 4;
  if (crc32c(bytes.substr(0, body_end)) != load_be<std::uint32_t>(bytes.data() + body_end))
    return fail(Code::kCorrupt, fmt::format("{} has a wrong checksum", what));
  return bytes.substr(5, body_end - 5);
}

}  // namespace

std::string log_key(LogSeq seq) { return fmt::format("{}{:020}", kLogPrefix, seq.value()); }

std::string snapshot_key(LogSeq seq, std::uint64_t nonce) {
  return fmt::format("{}{:020}-{:016x}", kSnapshotPrefix, seq.value(), nonce);
}

Result<std::uint64_t> number_in_key(std::string_view key, std::string_view prefix) {
  const auto odd = [key] { return fail(Code::kInvalid, fmt::format("'{}' is no metadata key", key)); };
  if (!key.starts_with(prefix) || key.size() < prefix.size() + 20) return odd();
  const std::string_view digits = key.substr(prefix.size(), 20);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return odd();
  return number;
}

std::string object_key(LogSeq birth, std::uint64_t id_high, std::uint64_t id_low) {
  return fmt::format("obj/{:02x}/{:020}-{:016x}{:016x}", id_low & 0xff, birth.value(), id_high, id_low);
}

Result<LogSeq> birth_of_object_key(std::string_view key) {
  std::uint64_t birth = 0;
  if (key.size() == 7 + 20 + 1 + 32 && key.starts_with("obj/") && key[27] == '-') {
    const auto [end, error] = std::from_chars(key.data() + 7, key.data() + 27, birth);
    if (error == std::errc() && end == key.data() + 27) return LogSeq(birth);
  }
  return fail(Code::kInvalid, fmt::format("'{}' is no key of a data object", key));
}

std::string encode_format(const Uuid& cluster_id) {
  return fmt::format("{}{}\nrequired_features none\n", kFormatHead, cluster_id.to_string());
}

Result<Uuid> decode_format(std::string_view bytes) {
  constexpr std::string_view kAnyVersion = "millrace bucket version ";
  if (!bytes.starts_with(kAnyVersion))
    return fail(Code::kCorrupt,
                "the bucket's 'format' object was not written by Millrace; use an empty bucket or prefix");
  const auto newer = [bytes] {
    return fail(Code::kUnsupported,
                fmt::format("the bucket needs a newer Millrace; its format says:\n{}", bytes.substr(0, 500)));
  };
  if (!bytes.starts_with(kFormatHead)) return newer();
  bytes.remove_prefix(kFormatHead.size());
  const std::size_t line_end = bytes.find('\n');
  if (line_end == std::string_view::npos) return fail(Code::kCorrupt, "the bucket's 'format' object is truncated");
  if (bytes.substr(line_end) != "\nrequired_features none\n") return newer();
  return Uuid::parse(bytes.substr(0, line_end));
}

std::string encode_root(const Root& root) {
  std::string bytes;
  ByteWriter out(bytes);
  out.be(kRootMagic);
  out.u8(kVersion);
  wire::put_uuid(out, root.cluster_id);
  out.be(root.counter);
  out.be(root.nonce);
  out.be(root.floor.value());
  wire::put_list(out, root.snapshots, [](ByteWriter& o, const SnapshotRef& ref) {
    o.be(ref.seq.value());
    wire::put_string(o, ref.key);
    o.bytes(object::view_of(ref.hash));
  });
  out.be(crc32c(bytes));
  return bytes;
}

Result<Root> decode_root(std::string_view bytes) {
  TRY(const std::string_view body, open_envelope(bytes, kRootMagic, "meta/root"));
  ByteReader in(body);
  Root root;
  root.cluster_id = wire::get_uuid(in);
  root.counter = in.be<std::uint64_t>();
  root.nonce = in.be<std::uint64_t>();
  root.floor = LogSeq(in.be<std::uint64_t>());
  root.snapshots = wire::get_list<SnapshotRef>(in, [](ByteReader& i) {
    SnapshotRef ref;
    ref.seq = LogSeq(i.be<std::uint64_t>());
    ref.key = wire::get_string(i);
    ref.hash = get_digest(i);
    return ref;
  });
  if (!in.ok() || !in.at_end() || root.snapshots.empty()) return fail(Code::kCorrupt, "meta/root is malformed");
  return root;
}

std::string encode_snapshot(const Snapshot& snapshot) {
  std::string bytes;
  ByteWriter out(bytes);
  out.be(kSnapshotMagic);
  out.u8(kVersion);
  out.be(snapshot.seq.value());
  out.bytes(object::view_of(snapshot.last_hash));
  out.bytes(snapshot.state);
  out.be(crc32c(bytes));
  return bytes;
}

Result<Snapshot> decode_snapshot(std::string_view bytes) {
  TRY(const std::string_view body, open_envelope(bytes, kSnapshotMagic, "snapshot"));
  ByteReader in(body);
  Snapshot snapshot;
  snapshot.seq = LogSeq(in.be<std::uint64_t>());
  snapshot.last_hash = get_digest(in);
  if (!in.ok()) return fail(Code::kCorrupt, "snapshot is truncated");
  snapshot.state = std::string(in.rest());
  return snapshot;
}

}  // namespace millrace::cluster
