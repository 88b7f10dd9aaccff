#include "kafka/compression.h"

#include <fmt/format.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/check.h"
#include "base/codec.h"

namespace millrace::kafka {
namespace {

// Output grows by pieces of this size, so that a small input cannot claim much memory.
constexpr std::size_t kPiece = 64 << 10;

std::unexpected<Error> broken(std::string_view what, std::string_view why) {
  return fail(Code::kCorrupt, fmt::format("{} data is broken: {}", what, why));
}
std::unexpected<Error> too_large(std::size_t bytes_max) {
  return fail(Code::kExhausted, fmt::format("compressed data inflates beyond {} bytes", bytes_max));
}

// Room for one more piece at the end of `out`; the caller shrinks it to what was used.
char* grow(std::string& out, std::size_t used) {
  if (out.size() - used < kPiece) out.resize(std::max(used + kPiece, std::min(out.size() * 2, used + (4u << 20))));
  return out.data() + used;
}

// Java writes one gzip member; others may write several, one after the other.
Result<std::string> gunzip(std::string_view bytes, std::size_t bytes_max) {
  z_stream stream{};
  CHECK(inflateInit2(&stream, 15 + 16) == Z_OK);
  const std::unique_ptr<z_stream, int (*)(z_stream*)> closer(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  std::size_t used = 0;
  while (true) {
    stream.next_out = reinterpret_cast<Bytef*>(grow(out, used));
    const std::size_t room = out.size() - used;
    stream.avail_out = static_cast<uInt>(room);
    const int code = ::inflate(&stream, Z_NO_FLUSH);
    used += room - stream.avail_out;
    if (used > bytes_max) return too_large(bytes_max);
    if (code == Z_STREAM_END) {
      if (stream.avail_in == 0) break;
      inflateReset(&stream);
    } else if (code != Z_OK) {
      return broken("gzip", stream.msg ? stream.msg : "it ends too early");
    } else if (stream.avail_in == 0 && stream.avail_out != 0) {
      return broken("gzip", "it ends too early");
    }
  }
  out.resize(used);
  return out;
}

constexpr std::string_view kXerialMagic("\x82SNAPPY\0", 8);
constexpr std::size_t kXerialHeader = 16;
constexpr std::size_t kXerialBlock = 32 << 10;

Result<void> unsnap_block(std::string_view block, std::size_t bytes_max, std::string& out) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(block.data(), block.size(), &size)) return broken("snappy", "no length");
  if (size > bytes_max - out.size()) return too_large(bytes_max);
  // Snappy's best ratio is about 1:21; more is a lie that should cost no memory.
  if (size > block.size() * 64 + 64) return broken("snappy", "its length cannot be");
  const std::size_t used = out.size();
  out.resize(used + size);
  if (!snappy::RawUncompress(block.data(), block.size(), out.data() + used)) return broken("snappy", "bad block");
  return {};
}

Result<std::string> unsnap(std::string_view bytes, std::size_t bytes_max) {
  std::string out;
  if (!bytes.starts_with(kXerialMagic)) {
    TRY_VOID(unsnap_block(bytes, bytes_max, out));
    return out;
  }
  ByteReader reader(bytes);
  reader.bytes(kXerialHeader);
  while (reader.ok() && !reader.at_end()) {
    const auto size = reader.be<std::int32_t>();
    if (size < 0) return broken("snappy", "negative block length");
    const auto block = reader.bytes(static_cast<std::size_t>(size));
    if (!reader.ok()) break;
    TRY_VOID(unsnap_block(block, bytes_max, out));
  }
  if (!reader.ok()) return broken("snappy", "it ends within a block");
  return out;
}

Result<std::string> unlz4(std::string_view bytes, std::size_t bytes_max) {
  LZ4F_dctx* context = nullptr;
  CHECK(!LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)));
  const std::unique_ptr<LZ4F_dctx, std::size_t (*)(LZ4F_dctx*)> closer(context, LZ4F_freeDecompressionContext);
  std::string out;
  std::size_t used = 0, at = 0, wanted = 1;
  while (at < bytes.size()) {
    char* into = grow(out, used);
    std::size_t room = out.size() - used;
    std::size_t taken = bytes.size() - at;
    wanted = LZ4F_decompress(context, into, &room, bytes.data() + at, &taken, nullptr);
    if (LZ4F_isError(wanted)) return broken("lz4", LZ4F_getErrorName(wanted));
    used += room;
    at += taken;
    if (used > bytes_max) return too_large(bytes_max);
    if (taken == 0 && room == 0) return broken("lz4", "no progress");
  }
  if (wanted != 0) return broken("lz4", "it ends too early");
  out.resize(used);
  return out;
}

Result<std::string> unzstd(std::string_view bytes, std::size_t bytes_max) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  CHECK(context != nullptr);
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::string out;
  std::size_t used = 0, wanted = 1;
  bool full = false;
  while (in.pos < in.size || full) {
    char* into = grow(out, used);
    ZSTD_outBuffer piece{into, out.size() - used, 0};
    wanted = ZSTD_decompressStream(context.get(), &piece, &in);
    if (ZSTD_isError(wanted)) return broken("zstd", ZSTD_getErrorName(wanted));
    used += piece.pos;
    full = wanted != 0 && piece.pos == piece.size;
    if (used > bytes_max) return too_large(bytes_max);
  }
  if (wanted != 0) return broken("zstd", "it ends too early");
  out.resize(used);
  return out;
}

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  CHECK(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string snap(std::string_view bytes) {
  std::string out(kXerialMagic);
  ByteWriter writer(out);
  writer.be(std::int32_t{1});  // version and oldest compatible version of the framing
  writer.be(std::int32_t{1});
  for (std::size_t at = 0; at < bytes.size(); at += kXerialBlock) {
    std::string block;
    const auto piece = bytes.substr(at, kXerialBlock);
    snappy::Compress(piece.data(), piece.size(), &block);
    writer.be(static_cast<std::int32_t>(block.size()));
    writer.bytes(block);
  }
  return out;
}

std::string lz4(std::string_view bytes) {
  LZ4F_preferences_t preferences{};
  // Kafka's own reader takes independent blocks only.
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  std::string out(LZ4F_compressFrameBound(bytes.size(), &preferences), '\0');
  const std::size_t size = LZ4F_compressFrame(out.data(), out.size(), bytes.data(), bytes.size(), &preferences);
  CHECK(!LZ4F_isError(size));
  out.resize(size);
  return out;
}

std::string zstd(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), ZSTD_CLEVEL_DEFAULT);
  CHECK(!ZSTD_isError(size));
  out.resize(size);
  return out;
}

}  // namespace

Result<std::string> inflate(Compression compression, std::string_view bytes, std::size_t bytes_max) {
  switch (compression) {
    case Compression::kNone:
      if (bytes.size() > bytes_max) return too_large(bytes_max);
      return std::string(bytes);
    case Compression::kGzip: return gunzip(bytes, bytes_max);
    case Compression::kSnappy: return unsnap(bytes, bytes_max);
    case Compression::kLz4: return unlz4(bytes, bytes_max);
    case Compression::kZstd: return unzstd(bytes, bytes_max);
  }
  return fail(Code::kCorrupt, fmt::format("unknown compression {}", static_cast<int>(compression)));
}

std::string deflate(Compression compression, std::string_view bytes) {
  switch (compression) {
    case Compression::kNone: return std::string(bytes);
    case Compression::kGzip: return gzip(bytes);
    case Compression::kSnappy: return snap(bytes);
    case Compression::kLz4: return lz4(bytes);
    case Compression::kZstd: return zstd(bytes);
  }
  CHECK(false);
}

}  // namespace millrace::kafka
