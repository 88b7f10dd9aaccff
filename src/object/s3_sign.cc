#include "object/s3_sign.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "object/digest.h"

namespace millrace::object {
namespace {

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::string out(32, '\0');
  unsigned int size = 0;
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(),
             reinterpret_cast<unsigned char*>(out.data()), &size) != nullptr);
  CHECK(size == out.size());
  return out;
}

std::string hex_sha256(std::string_view text) { return to_hex(view_of(sha256(text))); }

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return out;
}

// Without spaces at the ends, and with one where there were several.
std::string squeezed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    out += c;
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

std::vector<std::pair<std::string, std::string>> canonical_headers(const SignedRequest& request) {
  std::vector<std::pair<std::string, std::string>> headers;
  for (const auto& [name, value] : request.headers) headers.emplace_back(lower_case(name), squeezed(value));
  std::sort(headers.begin(), headers.end());
  return headers;
}

std::string signed_names(const SignedRequest& request) {
  std::string names;
  for (const auto& [name, value] : canonical_headers(request)) names += (names.empty() ? "" : ";") + name;
  return names;
}

std::string scope_of(const SigningKey& key, std::string_view date) {
  return fmt::format("{}/{}/{}/aws4_request", date.substr(0, 8), key.region, key.service);
}

}  // namespace

std::string s3_encode(std::string_view text, S3Encode how) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~' || (c == '/' && how == S3Encode::kPath);
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string amz_date(std::int64_t wall_ms) {
  const std::chrono::sys_seconds at(std::chrono::seconds(wall_ms / 1000));
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(at - day);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count());
}

std::string canonical_query(const SignedRequest& request) {
  std::vector<std::pair<std::string, std::string>> parts;
  for (const auto& [name, value] : request.query)
    parts.emplace_back(s3_encode(name, S3Encode::kQuery), s3_encode(value, S3Encode::kQuery));
  std::sort(parts.begin(), parts.end());
  std::string query;
  for (const auto& [name, value] : parts) query += fmt::format("{}{}={}", query.empty() ? "" : "&", name, value);
  return query;
}

std::string canonical_request(const SignedRequest& request) {
  std::string text = fmt::format("{}\n{}\n{}\n", request.method, request.path, canonical_query(request));
  for (const auto& [name, value] : canonical_headers(request)) text += fmt::format("{}:{}\n", name, value);
  text += fmt::format("\n{}\n{}", signed_names(request), request.payload_hash);
  return text;
}

std::string string_to_sign(const SignedRequest& request, const SigningKey& key, std::string_view date) {
  return fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", date, scope_of(key, date), hex_sha256(canonical_request(request)));
}

std::string authorization(const SignedRequest& request, const SigningKey& key, std::string_view date) {
  std::string signing = "AWS4" + key.secret_key;
  for (const std::string_view part : {date.substr(0, 8), std::string_view(key.region), std::string_view(key.service),
                                      std::string_view("aws4_request")})
    signing = hmac_sha256(signing, part);
  return fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}", key.access_key,
                     scope_of(key, date), signed_names(request),
                     to_hex(hmac_sha256(signing, string_to_sign(request, key, date))));
}

}  // namespace millrace::object
