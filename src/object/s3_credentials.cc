#include "object/s3_credentials.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <chrono>

#include "object/s3_xml.h"

namespace millrace::object {
namespace {

std::string_view without_spaces(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

Result<S3Credentials> complete(S3Credentials credentials, std::string_view expiration) {
  if (credentials.access_key.empty() || credentials.secret_key.empty())
    return fail(Code::kCorrupt, "the answer holds no access key");
  if (!expiration.empty()) {
    const auto at = parse_utc(expiration);
    if (!at) return fail(Code::kCorrupt, fmt::format("the expiration '{}' is no time", expiration.substr(0, 60)));
    credentials.expires_ms = *at;
  }
  return credentials;
}

}  // namespace

Result<S3Profile> parse_profile(std::string_view text, std::string_view name) {
  S3Profile profile;
  bool inside = false;
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    const bool indented = line.starts_with(' ') || line.starts_with('\t');
    line = without_spaces(line);
    if (line.empty() || line.front() == '#' || line.front() == ';' || indented) continue;
    if (line.front() == '[') {
      if (line.back() != ']')
        return fail(Code::kInvalid, fmt::format("line {}: a section does not end in ']'", number));
      std::string_view section = without_spaces(line.substr(1, line.size() - 2));
      if (section.starts_with("profile ")) section = without_spaces(section.substr(8));
      inside = section == name;
      continue;
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos)
      return fail(Code::kInvalid, fmt::format("line {} is neither [section] nor key = value", number));
    if (inside) profile[std::string(without_spaces(line.substr(0, equals)))] = without_spaces(line.substr(equals + 1));
  }
  return profile;
}

Result<S3Credentials> parse_credentials_json(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS || !document.is_object())
    return fail(Code::kCorrupt, "the answer is no JSON object");
  const auto field = [&document](std::string_view name) {
    std::string_view value;
    if (document[name].get(value) != simdjson::SUCCESS) value = {};
    return value;
  };
  const std::string_view code = field("Code");
  if (!code.empty() && code != "Success")
    return fail(Code::kDenied, fmt::format("{}: {}", code.substr(0, 100), field("Message").substr(0, 200)));
  S3Credentials credentials{std::string(field("AccessKeyId")), std::string(field("SecretAccessKey")),
                            std::string(field("Token"))};
  return complete(std::move(credentials), field("Expiration"));
}

Result<S3Credentials> parse_assumed_role(std::string_view xml) {
  S3Credentials credentials;
  std::string expiration;
  TRY_VOID(read_xml(xml, [&](std::string_view path, std::string_view text) {
    constexpr std::string_view kPath = "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/";
    if (!path.starts_with(kPath)) return;
    path.remove_prefix(kPath.size());
    if (path == "AccessKeyId") credentials.access_key = text;
    if (path == "SecretAccessKey") credentials.secret_key = text;
    if (path == "SessionToken") credentials.session_token = text;
    if (path == "Expiration") expiration = text;
  }));
  return complete(std::move(credentials), expiration);
}

std::optional<std::int64_t> parse_utc(std::string_view text) {
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
  if (text.size() < kShape.size() + 1 || text.back() != 'Z') return std::nullopt;
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kShape[i] == 'd' ? !digit : text[i] != kShape[i]) return std::nullopt;
  }
  std::string_view fraction = text.substr(kShape.size(), text.size() - kShape.size() - 1);
  if (!fraction.empty() && fraction.front() != '.') return std::nullopt;
  const auto number = [text](std::size_t at, std::size_t size) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + size, value);
    return value;
  };
  const std::chrono::year_month_day date{std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  if (!date.ok() || number(11, 2) > 23 || number(14, 2) > 59 || number(17, 2) > 60) return std::nullopt;
  const std::chrono::sys_days day(date);
  const std::int64_t seconds =
      std::int64_t{day.time_since_epoch().count()} * 86'400 + number(11, 2) * 3600 + number(14, 2) * 60 + number(17, 2);
  return seconds * 1000;
}

}  // namespace millrace::object
