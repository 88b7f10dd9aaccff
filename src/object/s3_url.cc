#include "object/s3_url.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "object/key.h"
#include "object/s3_sign.h"

namespace millrace::object {
namespace {

std::unexpected<Error> bad_url(std::string message) { return fail(Code::kInvalid, std::move(message)); }

Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    const auto digits = text.substr(i + 1, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2)
      return bad_url(fmt::format("'{}' has a '%' without two hex digits", text));
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

Result<bool> parse_flag(std::string_view name, std::string_view value) {
  if (value == "true") return true;
  if (value == "false") return false;
  return bad_url(fmt::format("{} must be true or false, not '{}'", name, value));
}

Result<std::int64_t> parse_number(std::string_view name, std::string_view value, std::int64_t lowest,
                                  std::int64_t highest) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < lowest || number > highest)
    return bad_url(fmt::format("{} must be a number from {} to {}, not '{}'", name, lowest, highest, value));
  return number;
}

Result<void> check_bucket(std::string_view bucket) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto allowed = [&](char c) { return plain(c) || c == '-' || c == '.'; };
  if (bucket.empty()) return bad_url("it names no bucket: s3://BUCKET[/PREFIX]");
  if (bucket.size() < 3 || bucket.size() > 63 || !std::all_of(bucket.begin(), bucket.end(), allowed) ||
      !plain(bucket.front()) || !plain(bucket.back()))
    return bad_url(
        fmt::format("'{}' is no bucket name: 3 to 63 of a-z, 0-9, '-' and '.', beginning and ending with a "
                    "letter or digit",
                    bucket));
  return {};
}

Result<void> set_option(S3Url& url, std::string_view name, const std::string& value) {
  if (name == "region") {
    url.region = value;
  } else if (name == "endpoint") {
    url.endpoint = value;
  } else if (name == "ca_file") {
    url.ca_file = value;
  } else if (name == "profile") {
    url.profile = value;
  } else if (name == "path_style") {
    TRY(url.path_style, parse_flag(name, value));
  } else if (name == "sign_payload") {
    TRY(url.sign_payload, parse_flag(name, value));
  } else if (name == "hedge") {
    TRY(url.hedge, parse_flag(name, value));
  } else if (name == "connections") {
    TRY(const auto number, parse_number(name, value, 1, 1000));
    url.connections_max = static_cast<std::size_t>(number);
  } else if (name == "timeout_ms") {
    TRY(const auto number, parse_number(name, value, 100, 600'000));
    url.timeout = std::chrono::milliseconds(number);
  } else {
    return bad_url(
        fmt::format("unknown option '{}'; s3:// knows region, endpoint, path_style, ca_file, profile, "
                    "sign_payload, connections, timeout_ms and hedge",
                    name));
  }
  return {};
}

bool is_address(std::string_view host) {
  if (host.find(':') != std::string_view::npos) return true;  // IPv6
  return !host.empty() &&
         std::all_of(host.begin(), host.end(), [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

struct Endpoint {
  bool tls = true;
  std::string host;
  std::uint16_t port = 443;
};

Result<Endpoint> parse_endpoint(std::string_view text) {
  const auto odd = [text](std::string_view why) {
    return bad_url(fmt::format("endpoint '{}' {}; write http://HOST[:PORT] or https://HOST[:PORT]", text, why));
  };
  Endpoint endpoint;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    endpoint.tls = false;
    endpoint.port = 80;
  } else {
    return odd("has no scheme");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#@") != std::string_view::npos) return odd("has more than a host and a port");
  const std::size_t bracket = rest.find(']');
  const std::size_t colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    auto port = parse_number("its port", rest.substr(colon + 1), 1, 65535);
    if (!port) return odd("has no good port");
    endpoint.port = static_cast<std::uint16_t>(*port);
    rest = rest.substr(0, colon);
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  if (rest.empty()) return odd("has no host");
  endpoint.host = std::string(rest);
  return endpoint;
}

}  // namespace

Result<S3Url> parse_s3_url(std::string_view text) {
  S3Url url;
  std::string_view rest = text;
  if (!rest.starts_with("s3://")) return bad_url("it does not begin with s3://");
  rest.remove_prefix(5);
  const std::size_t question = rest.find('?');
  std::string_view options = question == std::string_view::npos ? "" : rest.substr(question + 1);
  rest = rest.substr(0, question);
  const std::size_t slash = rest.find('/');
  url.bucket = std::string(rest.substr(0, slash));
  TRY_VOID(check_bucket(url.bucket));
  std::string_view prefix = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (!prefix.empty()) {
    if (auto good = check_key(prefix); !good) return bad_url("its prefix cannot be used: " + good.error().message());
    if (prefix.size() > 500) return bad_url("its prefix is longer than 500 bytes");
    url.prefix = std::string(prefix) + "/";
  }
  while (!options.empty()) {
    const std::string_view option = options.substr(0, options.find('&'));
    options.remove_prefix(std::min(options.size(), option.size() + 1));
    if (option.empty()) continue;
    const std::size_t equals = option.find('=');
    if (equals == std::string_view::npos) return bad_url(fmt::format("option '{}' has no value", option));
    TRY(const std::string value, percent_decode(option.substr(equals + 1)));
    TRY_VOID(set_option(url, option.substr(0, equals), value));
  }
  return url;
}

std::string S3Location::bucket_target() const { return path_style ? "/" + bucket : "/"; }

std::string S3Location::target_of(std::string_view key) const {
  std::string target = path_style ? "/" + bucket + "/" : "/";
  target += s3_encode(prefix, S3Encode::kPath);
  target += s3_encode(key, S3Encode::kPath);
  return target;
}

Result<S3Location> locate_s3(const S3Url& url, const S3Defaults& defaults) {
  S3Location location{url.bucket, url.prefix, url.region.empty() ? defaults.region : url.region};
  location.ca_file = url.ca_file;
  location.hedge = url.hedge;
  location.connections_max = url.connections_max;
  location.timeout = url.timeout;
  const std::string& wanted = url.endpoint.empty() ? defaults.endpoint : url.endpoint;
  const bool dotted = url.bucket.find('.') != std::string::npos;
  Endpoint endpoint;
  if (wanted.empty()) {
    if (location.region.empty()) return bad_url("it names no region: add ?region=REGION, or set AWS_REGION");
    const bool china = location.region.starts_with("cn-");
    endpoint.host = fmt::format("s3.{}.amazonaws.com{}", location.region, china ? ".cn" : "");
    location.path_style = url.path_style.value_or(dotted);
  } else {
    TRY(endpoint, parse_endpoint(wanted));
    if (location.region.empty()) location.region = "us-east-1";
    location.path_style = url.path_style.value_or(dotted || is_address(endpoint.host) || endpoint.host == "localhost");
  }
  if (!location.path_style && is_address(endpoint.host))
    return bad_url(
        fmt::format("path_style=false needs an endpoint with a host name, not the address {}", endpoint.host));
  if (!endpoint.tls && !location.ca_file.empty()) return bad_url("ca_file needs an https:// endpoint");
  location.tls = endpoint.tls;
  location.port = endpoint.port;
  location.host = location.path_style ? endpoint.host : location.bucket + "." + endpoint.host;
  location.connect_host =
      endpoint.host == "localhost" || endpoint.host.ends_with(".localhost") ? "127.0.0.1" : location.host;
  location.sign_payload = url.sign_payload.value_or(!endpoint.tls);
  return location;
}

}  // namespace millrace::object
