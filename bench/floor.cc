// The floor under any log server on this machine: receive frames over loopback, check each (CRC32C), write them to a
// file in 1 MiB blocks, answer each frame; nothing else. What a broker costs beyond this is its own doing.
//
//   floor serve FILE cache|sync GIB FRAME_BYTES   forks a client; prints the server's CPU seconds per GiB as JSON
//   floor fsync FILE COUNT BYTES                  times COUNT appends of BYTES with O_DIRECT and fdatasync
//   floor touch GIB                               touches and frees memory, so that later first touches cost nothing
//
// `cache` writes through the page cache and answers at once; `sync` writes with O_DIRECT and answers after fdatasync.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nmmintrin.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bench/measure.h"

namespace {

constexpr std::size_t kBlock = 1 << 20;
constexpr std::size_t kAlign = 4096;
constexpr std::size_t kWindow = 64;  // frames under way, as a few pipelining producers have them

[[noreturn]] void fail(const char* what) { die(std::string(what) + ": " + std::strerror(errno)); }

std::uint32_t crc32c(const char* data, std::size_t size) {
  std::uint64_t crc = ~0u;
  for (; size >= 8; data += 8, size -= 8) {
    std::uint64_t word;
    std::memcpy(&word, data, 8);
    crc = _mm_crc32_u64(crc, word);
  }
  for (; size > 0; ++data, --size)
    crc = _mm_crc32_u8(static_cast<std::uint32_t>(crc), static_cast<unsigned char>(*data));
  return ~static_cast<std::uint32_t>(crc);
}

char* aligned(std::size_t bytes) {
  void* memory = std::aligned_alloc(kAlign, bytes);
  if (memory == nullptr) fail("memory");
  std::memset(memory, 1, bytes);
  return static_cast<char*>(memory);
}

void write_all(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t n = write(fd, data, size);
    if (n <= 0) fail("write");
    data += n;
    size -= static_cast<std::size_t>(n);
  }
}

// Sends `frames` frames of `bytes` bytes (4 of length, 4 of CRC, data), never more than kWindow unanswered.
void run_client(int fd, std::uint64_t frames, std::size_t bytes) {
  std::vector<char> frame(bytes);
  for (std::size_t i = 0; i < bytes; ++i) frame[i] = static_cast<char>(i * 2654435761u >> 13);
  const auto length = static_cast<std::uint32_t>(bytes);
  const std::uint32_t crc = crc32c(frame.data() + 8, bytes - 8);
  std::memcpy(frame.data(), &length, 4);
  std::memcpy(frame.data() + 4, &crc, 4);
  std::uint64_t sent = 0, answered = 0;
  char answers[8 * kWindow];
  std::size_t partial = 0;
  while (answered < frames) {
    while (sent < frames && sent - answered < kWindow) {
      write_all(fd, frame.data(), bytes);
      ++sent;
    }
    const ssize_t n = read(fd, answers, sizeof answers);
    if (n <= 0) fail("answer");
    partial += static_cast<std::size_t>(n);
    answered += partial / 8;
    partial %= 8;
  }
}

// Takes frames out of what was received, checks them, and counts those that are whole.
class FrameReader {
 public:
  // The bytes that follow, wherever they lie; a frame that a block boundary cuts is checked piece by piece.
  std::uint64_t feed(const char* data, std::size_t size) {
    std::uint64_t whole = 0;
    while (size > 0) {
      if (header_bytes_ < 8) {
        const std::size_t n = std::min(size, 8 - header_bytes_);
        std::memcpy(header_ + header_bytes_, data, n);
        header_bytes_ += n;
        data += n;
        size -= n;
        if (header_bytes_ < 8) break;
        std::memcpy(&length_, header_, 4);
        std::memcpy(&wanted_, header_ + 4, 4);
        left_ = length_ - 8;
        crc_ = ~0u;
      }
      const std::size_t n = std::min(size, left_);
      crc_ = ~crc32c_continue(crc_, data, n);
      data += n;
      size -= n;
      left_ -= n;
      if (left_ == 0) {
        if (~crc_ != wanted_) fail("crc");
        header_bytes_ = 0;
        ++whole;
      }
    }
    return whole;
  }

 private:
  static std::uint32_t crc32c_continue(std::uint32_t state, const char* data, std::size_t size) {
    std::uint64_t crc = state;
    for (; size >= 8; data += 8, size -= 8) {
      std::uint64_t word;
      std::memcpy(&word, data, 8);
      crc = _mm_crc32_u64(crc, word);
    }
    for (; size > 0; ++data, --size) {
      crc = _mm_crc32_u8(static_cast<std::uint32_t>(crc), static_cast<unsigned char>(*data));
    }
    return ~static_cast<std::uint32_t>(crc);
  }

  char header_[8];
  std::size_t header_bytes_ = 0, left_ = 0;
  std::uint32_t length_ = 0, wanted_ = 0, crc_ = 0;
};

void run_server(int fd, const std::string& path, bool sync, std::uint64_t frames) {
  const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | (sync ? O_DIRECT : 0), 0600);
  if (file < 0) fail(path.c_str());
  char* block = aligned(kBlock);
  const std::vector<char> answer(8 * kWindow, 7);
  FrameReader reader;
  std::size_t filled = 0;
  std::uint64_t answered = 0, unanswered = 0;
  while (answered < frames) {
    const bool idle_flush = unanswered > 0;  // then do not wait for more
    pollfd readable{fd, POLLIN, 0};
    const bool more = filled < kBlock && poll(&readable, 1, idle_flush ? 0 : -1) > 0;
    if (more) {
      const ssize_t n = read(fd, block + filled, kBlock - filled);
      if (n <= 0) fail("read");
      unanswered += reader.feed(block + filled, static_cast<std::size_t>(n));
      filled += static_cast<std::size_t>(n);
      continue;
    }
    // Nothing is waiting, or the block is full: make it durable as promised, and answer.
    const std::size_t padded = sync ? (filled + kAlign - 1) / kAlign * kAlign : filled;
    write_all(file, block, padded);
    if (sync && fdatasync(file) != 0) fail("fdatasync");
    filled = 0;
    answered += unanswered;
    for (; unanswered > 0; unanswered -= std::min<std::uint64_t>(unanswered, kWindow)) {
      write_all(fd, answer.data(), 8 * std::min<std::uint64_t>(unanswered, kWindow));
    }
  }
  close(file);
  unlink(path.c_str());
  std::free(block);
}

int serve(const std::string& path, bool sync, double gib, std::size_t frame_bytes) {
  const auto frames = static_cast<std::uint64_t>(gib * (1 << 30) / static_cast<double>(frame_bytes));
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    fail("listen");
  }
  const int one = 1;
  const pid_t client = fork();
  if (client == 0) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    run_client(fd, frames, frame_bytes);
    _exit(0);
  }
  const int fd = accept(listener, nullptr, nullptr);
  if (fd < 0) fail("accept");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  const double started = seconds_now(), cpu = cpu_seconds();
  run_server(fd, path, sync, frames);
  const double seconds = seconds_now() - started, used = cpu_seconds() - cpu;
  close(fd);
  waitpid(client, nullptr, 0);
  std::printf("{\"mb_per_s\": %.1f, \"cpu_s_per_gib\": %.3f, \"seconds\": %.2f}\n", gib * 1073.741824 / seconds,
              used / gib, seconds);
  return 0;
}

int time_fsync(const std::string& path, int count, std::size_t bytes) {
  const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_DIRECT, 0600);
  if (file < 0) fail(path.c_str());
  bytes = (bytes + kAlign - 1) / kAlign * kAlign;
  char* block = aligned(bytes);
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    const double started = seconds_now();
    write_all(file, block, bytes);
    if (fdatasync(file) != 0) fail("fdatasync");
    times.push_back((seconds_now() - started) * 1e3);
  }
  std::sort(times.begin(), times.end());
  close(file);
  unlink(path.c_str());
  std::printf("{\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n", times[times.size() / 2],
              times[times.size() * 99 / 100], times.back());
  return 0;
}

int touch(double gib) {
  const auto bytes = static_cast<std::size_t>(gib * (1 << 30));
  char* memory = static_cast<char*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (memory == MAP_FAILED) fail("mmap");
  const double started = seconds_now();
  for (std::size_t at = 0; at < bytes; at += kAlign) memory[at] = 1;
  std::printf("{\"gib\": %.1f, \"seconds\": %.2f, \"cpu_s_per_gib\": %.3f}\n", gib, seconds_now() - started,
              cpu_seconds() / gib);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> a(argv + 1, argv + argc);
  if (a.size() == 5 && a[0] == "serve" && (a[2] == "cache" || a[2] == "sync")) {
    return serve(a[1], a[2] == "sync", std::stod(a[3]), std::stoul(a[4]));
  }
  if (a.size() == 4 && a[0] == "fsync") return time_fsync(a[1], std::stoi(a[2]), std::stoul(a[3]));
  if (a.size() == 2 && a[0] == "touch") return touch(std::stod(a[1]));
  std::fprintf(stderr, "usage: see the head of bench/floor.cc\n");
  return 2;
}
