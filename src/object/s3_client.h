// One signed request to an S3 bucket, and what its answer means: credentials, signature, checksum, connection, error
// table. Everything above it (s3_store, s3_upload) only says which request. One attempt per call, no redirects.
//
// Metrics: millrace_object_s3_requests_total{method}, every attempt, by what the store charges: requests to the bucket
// itself are LIST (a GET) and DELETE (the POST that removes many).
//
// Calls are static and hold the client by shared_ptr: a store may be dropped while one runs. One thread (the
// executor's), bodies above 256 KiB are hashed on the BlockingPool. Clock and pool must outlive the calls.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/task.h"
#include "net/http_client.h"
#include "object/environment.h"
#include "object/s3_outcome.h"
#include "object/s3_provider.h"
#include "object/s3_url.h"

namespace millrace::object {

enum class S3Effect { kReads, kWrites };

struct S3Request {
  std::string method;
  std::string key;  // without the prefix; empty: the bucket itself
  std::vector<std::pair<std::string, std::string>> query;
  std::vector<std::pair<std::string, std::string>> headers;  // all are signed: nobody on the way can drop a condition
  SliceChain body;
  std::size_t reply_bytes_max = 16 << 20;
  S3Effect effect = S3Effect::kReads;
  bool sign_body = false;  // even where the location does not
};

class S3Client {
 public:
  // kInvalid: the location's ca_file.
  static Result<std::shared_ptr<S3Client>> make(S3Location location, std::string profile, Executor executor,
                                                Clock& clock, BlockingPool& files, Environment environment,
                                                Metrics& metrics);

  // An answer of any status; an error when there is none: kUnavailable or kDenied (not sent), kTimeout (unknown),
  // kCorrupt (reads only: not HTTP, or too large).
  static Task<Result<net::HttpReply>> send(std::shared_ptr<S3Client> self, S3Request request);
  // What an answer that is no success means.
  Error failure(const S3Request& request, const net::HttpReply& reply);

  const S3Location& location() const { return location_; }
  const Executor& executor() const { return executor_; }
  Clock& clock() { return clock_; }

 private:
  S3Client(S3Location location, std::string profile, Executor executor, Clock& clock, BlockingPool& files,
           Environment environment, net::HttpClientOptions http, Metrics& metrics);
  void count(const S3Request& request);
  Task<Result<std::string>> payload_hash(SliceChain body, bool sign_body);
  net::HttpCall sign(S3Request request, const S3Credentials& credentials, std::string payload_hash);
  std::string endpoint() const;

  S3Location location_;
  Executor executor_;
  Clock& clock_;
  BlockingPool& files_;
  S3Provider provider_;
  net::HttpClient http_;
  S3Credentials used_;  // by the last request
  std::map<std::string, Counter*, std::less<>> requests_;
};

std::string base64(std::string_view bytes);

}  // namespace millrace::object
