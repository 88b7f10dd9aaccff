// AWS Signature Version 4, as S3 wants it: paths encoded once, the payload's hash as a header.
// Source: "Authenticating Requests (AWS Signature Version 4)", Amazon S3 API reference. Pure; never fails.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::object {

enum class S3Encode { kPath, kQuery };  // a path keeps its '/'
// RFC 3986: everything but A-Z a-z 0-9 - . _ ~ becomes %XX, in capitals.
std::string s3_encode(std::string_view text, S3Encode how);

// "20130524T000000Z"
std::string amz_date(std::int64_t wall_ms);

struct SigningKey {
  std::string access_key, secret_key;
  std::string region, service = "s3";
};

struct SignedRequest {
  std::string method;
  std::string path;                                          // encoded
  std::vector<std::pair<std::string, std::string>> query;    // not encoded; any order
  std::vector<std::pair<std::string, std::string>> headers;  // all that are signed, with Host; any case and order
  std::string payload_hash;                                  // hex SHA-256, or UNSIGNED-PAYLOAD
};

// "a=b&c=" sorted and encoded, as it must be sent; empty without a query.
std::string canonical_query(const SignedRequest& request);
std::string canonical_request(const SignedRequest& request);
std::string string_to_sign(const SignedRequest& request, const SigningKey& key, std::string_view date);
// The value of the Authorization header.
std::string authorization(const SignedRequest& request, const SigningKey& key, std::string_view date);

}  // namespace millrace::object
