// Files written past the page cache (O_DIRECT). An object of the log is written once and mostly never read
// again, so its pages would only push out others, and filling them costs more than all else that a PUT does: seen on a
// virtual machine 1.4 CPU-s per GiB, beside 0.2 with O_DIRECT and a buffer that is used again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace::object::file_io {

// Smaller bodies go through the page cache: the copy is cheap and their tail is most of them.
inline constexpr std::size_t kDirectBytesMin = 256 << 10;

// The CRC-32C of the body. Nothing when the file system does not take it this way. Unless it succeeded the file is gone
// (file_io.h: write_file). Blocks; keeps one buffer of 1 MiB for each thread that ever called it.
std::optional<Result<std::uint32_t>> write_file_direct(const std::string& path, bool spare, const SliceChain& body,
                                                       bool durable);

}  // namespace millrace::object::file_io
