// AWS credentials as they are written down: profile files, the JSON of the container and instance services, the XML of
// AssumeRoleWithWebIdentity. Fails: kInvalid or kCorrupt, saying which field is missing; never with a secret in the
// message. Pure. The chain that finds them is s3_provider.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::object {

struct S3Credentials {
  std::string access_key, secret_key, session_token;
  std::int64_t expires_ms = 0;  // since 1970 UTC; 0: never
};

using S3Profile = std::map<std::string, std::string>;

// Section [NAME] or [profile NAME] of an INI file; empty when there is none. Later keys win, comments begin with # or ;
// and indented lines (nested settings) are skipped. kInvalid for a line that is neither section nor `key = value`.
Result<S3Profile> parse_profile(std::string_view text, std::string_view name);
// {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}.
Result<S3Credentials> parse_credentials_json(std::string_view json);
Result<S3Credentials> parse_assumed_role(std::string_view xml);
// "2026-11-21T18:00:00Z", fractions allowed, as milliseconds since 1970.
std::optional<std::int64_t> parse_utc(std::string_view text);

}  // namespace millrace::object
