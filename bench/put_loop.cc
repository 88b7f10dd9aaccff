// What an S3 store takes from clients that do nothing else: the same create-only PUT over and over, on PARALLEL
// connections, as fast as it is answered or at RATE a second in all. Bodies are signed (SHA-256, computed once), so the
// store does for one what it does for a WAL slot. Prints one JSON object.
//
//   put_loop PORT REGION BUCKET/PREFIX BYTES PARALLEL RATE SECONDS     RATE 0: as fast as it can
//
// The store listens on 127.0.0.1; the key is in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/measure.h"

namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (const unsigned char byte : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", byte);
    out += two;
  }
  return out;
}

std::string sha256(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr) != 1) die("SHA-256");
  return hex({reinterpret_cast<const char*>(digest), size});
}

std::string hmac(std::string_view key, std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest, &size);
  return {reinterpret_cast<const char*>(digest), size};
}

struct Load {
  int port = 0;
  std::string region, prefix, access_key, secret_key;
  std::string body, body_hash;
  double rate = 0, seconds = 0;  // rate of one worker
};

// AWS Signature Version 4 of one PUT.
std::string request_head(const Load& load, const std::string& path) {
  char now[32];
  const std::time_t time = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&time, &utc);
  std::strftime(now, sizeof now, "%Y%m%dT%H%M%SZ", &utc);
  const std::string day(now, 8), date = now, host = "127.0.0.1:" + std::to_string(load.port);
  const std::string names = "host;if-none-match;x-amz-content-sha256;x-amz-date";
  const std::string request = "PUT\n" + path + "\n\nhost:" + host +
                              "\nif-none-match:*\nx-amz-content-sha256:" + load.body_hash + "\nx-amz-date:" + date +
                              "\n\n" + names + "\n" + load.body_hash;
  const std::string scope = day + "/" + load.region + "/s3/aws4_request";
  std::string key = hmac("AWS4" + load.secret_key, day);
  for (const std::string& part : {load.region, std::string("s3"), std::string("aws4_request")}) key = hmac(key, part);
  const std::string signature = hex(hmac(key, "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + sha256(request)));
  return "PUT " + path + " HTTP/1.1\r\nHost: " + host +
         "\r\nIf-None-Match: *\r\nx-amz-content-sha256: " + load.body_hash + "\r\nx-amz-date: " + date +
         "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=" + load.access_key + "/" + scope +
         ", SignedHeaders=" + names + ", Signature=" + signature +
         "\r\nContent-Length: " + std::to_string(load.body.size()) + "\r\n\r\n";
}

int connect_to(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("no store on this port");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void send_all(int fd, std::string_view head, std::string_view body) {
  iovec pieces[2] = {{const_cast<char*>(head.data()), head.size()}, {const_cast<char*>(body.data()), body.size()}};
  while (pieces[0].iov_len + pieces[1].iov_len > 0) {
    ssize_t sent = writev(fd, pieces, 2);
    if (sent <= 0) die("the store closed the connection");
    for (auto& piece : pieces) {
      const std::size_t step = std::min(piece.iov_len, static_cast<std::size_t>(sent));
      piece.iov_base = static_cast<char*>(piece.iov_base) + step;
      piece.iov_len -= step;
      sent -= static_cast<ssize_t>(step);
    }
  }
}

// Until head and body of the answer are read; a PUT's answer without a length has no body.
void read_answer(int fd) {
  std::string answer;
  std::size_t wanted = std::string::npos;
  while (answer.size() < wanted) {
    char buffer[4096];
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got <= 0) die("the store closed the connection");
    answer.append(buffer, static_cast<std::size_t>(got));
    const std::size_t end = answer.find("\r\n\r\n");
    if (wanted != std::string::npos || end == std::string::npos) continue;
    std::string head = answer.substr(0, end);
    std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
    const std::size_t length = head.find("content-length: ");
    wanted = end + 4 + (length == std::string::npos ? 0 : std::strtoul(head.c_str() + length + 16, nullptr, 10));
  }
  if (!answer.starts_with("HTTP/1.1 200")) die("the store answered: " + answer.substr(0, 1000));
}

void work(const Load& load, int worker, std::vector<double>& latencies) {
  const int fd = connect_to(load.port);
  const double begin = seconds_now();
  for (long n = 0; seconds_now() - begin < load.seconds; ++n) {
    const std::string path = "/" + load.prefix + std::to_string(worker) + "-" + std::to_string(n);
    if (load.rate > 0) {
      const double early = begin + static_cast<double>(n) / load.rate - seconds_now();
      if (early > 0) std::this_thread::sleep_for(std::chrono::duration<double>(early));
    }
    const double sent = seconds_now();
    send_all(fd, request_head(load, path), load.body);
    read_answer(fd);
    latencies.push_back(seconds_now() - sent);
  }
  close(fd);
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  if (!value) die(std::string(name) + " is not set");
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    std::fprintf(stderr, "usage: see the head of bench/put_loop.cc\n");
    return 2;
  }
  Load load;
  load.port = static_cast<int>(std::strtol(argv[1], nullptr, 10));
  load.region = argv[2];
  load.prefix = argv[3];
  load.access_key = variable("AWS_ACCESS_KEY_ID");
  load.secret_key = variable("AWS_SECRET_ACCESS_KEY");
  load.body.resize(std::strtoul(argv[4], nullptr, 10));
  std::uint64_t state = 88172645463325252ULL;  // bytes that do not compress
  for (char& byte : load.body) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    byte = static_cast<char>(state);
  }
  load.body_hash = sha256(load.body);
  const std::size_t parallel = std::strtoul(argv[5], nullptr, 10);
  load.rate = std::strtod(argv[6], nullptr) / static_cast<double>(parallel);
  load.seconds = std::strtod(argv[7], nullptr);

  std::vector<std::vector<double>> latencies(parallel);
  const double begin = seconds_now();
  std::vector<std::thread> workers;
  for (std::size_t w = 0; w < parallel; ++w) {
    workers.emplace_back([&load, &latencies, w] { work(load, static_cast<int>(w), latencies[w]); });
  }
  for (auto& worker : workers) worker.join();
  const double seconds = seconds_now() - begin;
  std::vector<double> all;
  for (const auto& some : latencies) all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  const auto percentile_ms = [&all](double share) {
    return all[static_cast<std::size_t>(share * (all.size() - 1))] * 1e3;
  };
  std::printf(
      "{\"puts\": %zu, \"seconds\": %.3f, \"mb_per_s\": %.2f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, "
      "\"client_cpu_s\": %.2f}\n",
      all.size(), seconds, static_cast<double>(all.size() * load.body.size()) / seconds / 1e6, percentile_ms(0.5),
      percentile_ms(0.99), percentile_ms(1), cpu_seconds());
  return 0;
}
