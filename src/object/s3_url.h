// Where an S3 bucket is: s3://BUCKET[/PREFIX][?option=value&...], completed by the usual AWS variables.
//
//   region=R          default AWS_REGION, AWS_DEFAULT_REGION, the profile's; us-east-1 where an endpoint is given
//   endpoint=URL      http://HOST[:PORT] or https://..; default AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, else AWS itself
//   path_style=B      true: http://HOST/BUCKET/KEY, false: http://BUCKET.HOST/KEY. Default true for an endpoint that is
//                     an address or localhost, and for bucket names with dots
//   ca_file=PATH      PEM of the authorities to trust instead of the system's
//   profile=NAME      section of ~/.aws/credentials and ~/.aws/config; default AWS_PROFILE, else `default`
//   sign_payload=B    whether the signature covers bodies by SHA-256. Default true without TLS; with TLS the body is
//                     covered by a CRC-32C that the store checks
//   connections=N     at most, 1 to 1000; default 64
//   timeout_ms=N      to the first byte of an answer (and a second per MiB sent), 100 to 600000; default 15000
//   hedge=B           whether slow requests are sent a second time (resilient_store.h); default true
//
// Values may be percent-encoded. Fails: kInvalid, naming the part and what would be right. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace millrace::object {

struct S3Url {
  std::string bucket;
  std::string prefix;  // "" or "a/b/", put before every key
  std::string region, endpoint, ca_file, profile;
  std::optional<bool> path_style, sign_payload;
  bool hedge = true;
  std::size_t connections_max = 64;
  Duration timeout = 15s;
};
Result<S3Url> parse_s3_url(std::string_view url);

// What the URL left open, from the environment and the profile; empty: not set there either.
struct S3Defaults {
  std::string region, endpoint;
};

struct S3Location {
  std::string bucket, prefix, region;
  bool tls = true;
  std::string host;  // of requests: the endpoint's, with the bucket before it unless path_style
  std::uint16_t port = 443;
  std::string connect_host;  // what to resolve; names below .localhost are this machine
  bool path_style = false;
  bool sign_payload = false;
  std::string ca_file;
  bool hedge = true;
  std::size_t connections_max = 64;
  Duration timeout = 15s;
  // "/BUCKET/PREFIXKEY" or "/PREFIXKEY", encoded.
  std::string target_of(std::string_view key) const;
  std::string bucket_target() const;
};
Result<S3Location> locate_s3(const S3Url& url, const S3Defaults& defaults);

}  // namespace millrace::object
