#include "object/s3_outcome.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace millrace::object {
namespace {

template <std::size_t N>
bool is_one_of(std::string_view code, const std::array<std::string_view, N>& codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

constexpr std::array<std::string_view, 7> kTransferCodes = {
    "RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch",
    "InvalidDigest",  "InvalidPart"};
constexpr std::array<std::string_view, 5> kFullCodes = {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull",
                                                        "StorageFull", "EntityQuotaExceeded"};
constexpr std::array<std::string_view, 4> kStaleCodes = {"ExpiredToken", "ExpiredTokenException",
                                                         "TokenRefreshRequired", "InvalidToken"};

// What an operator should look at; empty where the code says enough.
std::string advice(const S3Answer& answer, const S3Context& context) {
  const std::string& code = answer.error.code;
  const std::string& where = !answer.error.region.empty() ? answer.error.region : answer.bucket_region;
  if (code == "RequestTimeTooSkewed")
    return fmt::format("; this machine's clock differs from the store's ({}): set it right (NTP)",
                       answer.error.server_time.empty() ? answer.date : answer.error.server_time);
  if (code == "InvalidAccessKeyId" || code == "XAdminUserNotFound")
    return "; the access key is not known to this store: check AWS_ACCESS_KEY_ID (or the profile) and the endpoint";
  if (code == "SignatureDoesNotMatch")
    return fmt::format("; check AWS_SECRET_ACCESS_KEY (or the profile), and that the region is '{}'", context.region);
  if (names_stale_credentials(code)) return "; the session token has expired or is wrong: get new credentials";
  if (code == "NoSuchBucket")
    return fmt::format("; create the bucket '{}', or correct its name or the endpoint {} in --bucket", context.bucket,
                       context.endpoint);
  if (!where.empty() && where != context.region)
    return fmt::format("; the bucket is in region '{0}': put region={0} into --bucket", where);
  if (answer.status == 403)
    return fmt::format(
        "; these credentials may not do this: s3:GetObject, s3:PutObject, s3:DeleteObject and "
        "s3:ListBucket on bucket '{}' are needed",
        context.bucket);
  if (answer.status == 501 || answer.status == 405)
    return "; this store lacks what Millrace needs (conditional PUT): see docs/compatibility.md";
  if (answer.status == 301 || answer.status == 307 || answer.status == 308)
    return fmt::format("; the bucket is at another endpoint or region than {} ({})", context.endpoint, context.region);
  return "";
}

Code code_of(const S3Answer& answer, const S3Context& context) {
  const std::string_view code = answer.error.code;
  if (is_one_of(code, kFullCodes) || answer.status == 507) return Code::kExhausted;
  if (names_stale_credentials(code)) return context.renewable ? Code::kUnavailable : Code::kDenied;
  // versitygw without its accounts directory answers 404 to an unknown access key.
  if (code == "XAdminUserNotFound" || code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch")
    return Code::kDenied;
  switch (answer.status) {
    case 401:
    case 403: return Code::kDenied;
    case 404:
      if (code == "NoSuchKey") return Code::kNotFound;
      if (code == "NoSuchUpload") return Code::kUnavailable;  // aborted by somebody, so never completed
      return code.empty() ? Code::kCorrupt : Code::kInvalid;
    case 405:
    case 501: return Code::kUnsupported;
    case 408:
    case 429: return Code::kTimeout;
    case 409: return Code::kUnavailable;
    case 412: return Code::kExists;
    default: break;
  }
  if (answer.status == 400 && is_one_of(code, kTransferCodes)) return Code::kUnavailable;
  if (answer.status >= 500) return Code::kTimeout;
  if (answer.status >= 300) return Code::kInvalid;
  return Code::kCorrupt;
}

}  // namespace

bool names_stale_credentials(std::string_view code) { return is_one_of(code, kStaleCodes); }

Code s3_delete_code(std::string_view code) {
  if (code == "AccessDenied") return Code::kDenied;
  if (code == "InternalError" || code == "SlowDown" || code == "ServiceUnavailable" || code == "RequestTimeout")
    return Code::kTimeout;
  return Code::kUnavailable;
}

Error s3_failure(const S3Answer& answer, const S3Context& context) {
  const std::string name = answer.error.code.empty() ? "no S3 error document" : answer.error.code;
  std::string text = fmt::format("{} at {}: {} {}", context.operation, context.endpoint, answer.status, name);
  if (!answer.error.message.empty()) text += fmt::format(" ({})", answer.error.message.substr(0, 300));
  text += advice(answer, context);
  if (answer.error.code.empty() && answer.status == 404) text += "; is this endpoint an S3 server?";
  return Error(code_of(answer, context), std::move(text));
}

}  // namespace millrace::object
