#include "object/s3_url.h"

#include <gtest/gtest.h>

namespace millrace::object {
namespace {

S3Location location_of(std::string_view text, const S3Defaults& defaults = {}) {
  const auto url = parse_s3_url(text);
  EXPECT_TRUE(url) << text << ": " << (url ? "" : url.error().message());
  const auto location = locate_s3(*url, defaults);
  EXPECT_TRUE(location) << text << ": " << (location ? "" : location.error().message());
  return *location;
}

std::string refusal_of(std::string_view text, const S3Defaults& defaults = {"eu-west-1", ""}) {
  const auto url = parse_s3_url(text);
  if (!url) return url.error().message();
  const auto location = locate_s3(*url, defaults);
  return location ? "accepted" : location.error().message();
}

TEST(S3Url, aws_is_the_default) {
  const auto l = location_of("s3://logs/prod/a?region=eu-west-1");
  EXPECT_TRUE(l.tls);
  EXPECT_EQ(l.host, "logs.s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(l.connect_host, l.host);
  EXPECT_EQ(l.port, 443);
  EXPECT_FALSE(l.path_style);
  EXPECT_FALSE(l.sign_payload);
  EXPECT_EQ(l.target_of("wal/1"), "/prod/a/wal/1");
  EXPECT_EQ(l.bucket_target(), "/");
  EXPECT_EQ(location_of("s3://logs", {"us-east-2", ""}).host, "logs.s3.us-east-2.amazonaws.com");
  const auto dotted = location_of("s3://my.logs/?region=eu-west-1");
  EXPECT_TRUE(dotted.path_style);
  EXPECT_EQ(dotted.target_of("k"), "/my.logs/k");
}

TEST(S3Url, an_endpoint_is_taken_as_it_is) {
  const auto l = location_of("s3://demo/p/?endpoint=http://127.0.0.1:7070&path_style=true");
  EXPECT_FALSE(l.tls);
  EXPECT_EQ(l.host, "127.0.0.1");
  EXPECT_EQ(l.port, 7070);
  EXPECT_EQ(l.region, "us-east-1");
  EXPECT_TRUE(l.sign_payload);
  EXPECT_EQ(l.target_of("a/b"), "/demo/p/a/b");
  EXPECT_EQ(l.bucket_target(), "/demo");
  EXPECT_TRUE(location_of("s3://demo?endpoint=http://127.0.0.1:1").path_style);
  EXPECT_TRUE(location_of("s3://demo?endpoint=http://[::1]:80/").path_style);
  const auto virtual_host = location_of("s3://demo?endpoint=http%3A%2F%2Fs3.localhost:81");
  EXPECT_EQ(virtual_host.host, "demo.s3.localhost");
  EXPECT_EQ(virtual_host.connect_host, "127.0.0.1");
  EXPECT_EQ(location_of("s3://demo", {"", "https://s3.example:444"}).host, "demo.s3.example");
}

TEST(S3Url, options_are_read) {
  const auto url = *parse_s3_url(
      "s3://demo?ca_file=/a%20b.pem&profile=p&sign_payload=false&connections=8&timeout_ms=500&hedge=false");
  EXPECT_EQ(url.ca_file, "/a b.pem");
  EXPECT_EQ(url.profile, "p");
  EXPECT_EQ(url.sign_payload, false);
  EXPECT_EQ(url.connections_max, 8u);
  EXPECT_EQ(url.timeout, Duration(500ms));
  EXPECT_FALSE(url.hedge);
}

TEST(S3Url, what_is_wrong_is_named) {
  const std::pair<const char*, const char*> cases[] = {
      {"s3://", "names no bucket"},
      {"s3:///prefix", "names no bucket"},
      {"s3://ab", "'ab' is no bucket name"},
      {"s3://Logs", "'Logs' is no bucket name"},
      {"s3://logs-", "is no bucket name"},
      {"s3://logs/a//b", "prefix"},
      {"s3://logs/../b", "prefix"},
      {"s3://logs?regio=x", "unknown option 'regio'"},
      {"s3://logs?region", "'region' has no value"},
      {"s3://logs?path_style=yes", "true or false"},
      {"s3://logs?connections=0", "from 1 to 1000"},
      {"s3://logs?timeout_ms=1e3", "number"},
      {"s3://logs?region=%4", "hex"},
      {"s3://logs?endpoint=127.0.0.1:80", "no scheme"},
      {"s3://logs?endpoint=http://", "no host"},
      {"s3://logs?endpoint=http://h:port", "no good port"},
      {"s3://logs?endpoint=http://h:70000", "no good port"},
      {"s3://logs?endpoint=http://h/bucket", "more than a host"},
      {"s3://logs?endpoint=http://u:p@h", "more than a host"},
      {"s3://logs?endpoint=http://10.0.0.1&path_style=false", "path_style=false"},
      {"s3://logs?endpoint=http://h&ca_file=/x", "ca_file"},
  };
  for (const auto& [text, told] : cases)
    EXPECT_NE(refusal_of(text).find(told), std::string::npos) << text << " -> " << refusal_of(text);
  EXPECT_NE(refusal_of("s3://logs", {}).find("AWS_REGION"), std::string::npos);
}

}  // namespace
}  // namespace millrace::object
