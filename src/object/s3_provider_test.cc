#include "object/s3_provider.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/event_loop.h"
#include "net/http_server.h"

namespace millrace::object {
namespace {

// A clock whose wall time the test moves.
class MovedClock final : public Clock {
 public:
  explicit MovedClock(Clock& real) : real_(real) {}
  SteadyTime now() const override { return real_.now(); }
  std::int64_t wall_ms() const override { return real_.wall_ms() + ahead_ms; }
  std::int64_t wall_us() const override { return wall_ms() * 1000; }
  TimerId call_at(SteadyTime when, std::move_only_function<void()> action) override {
    return real_.call_at(when, std::move(action));
  }
  bool cancel(TimerId id) override { return real_.cancel(id); }
  std::int64_t ahead_ms = 0;

 private:
  Clock& real_;
};

class S3ProviderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/object-test-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    variables_["HOME"] = directory_;
    variables_["AWS_EC2_METADATA_DISABLED"] = "true";
    auto listener = net::listen(loop_.executor(), {"127.0.0.1", 0});
    ASSERT_TRUE(listener);
    server_ =
        std::make_unique<net::HttpServer>(loop_.executor(), loop_.clock(), std::move(*listener),
                                          [this](net::HttpRequest request) { return answer(std::move(request)); });
    server_->start();
    service_ = "http://" + server_->bound().to_string();
  }
  void TearDown() override {
    loop_.run_until_done(server_->stop());
    std::filesystem::remove_all(directory_);
  }
  Task<net::HttpResponse> answer(net::HttpRequest request) {
    seen_.push_back(request.method + " " + request.path + " " + request.body);
    net::HttpResponse response;
    const auto found = answers_.find(request.path);
    response.status = found == answers_.end() ? 404 : 200;
    if (found != answers_.end()) response.body = found->second;
    co_return response;
  }
  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(directory_ + path).parent_path());
    std::ofstream(directory_ + path) << text;
  }
  S3Provider& provider(const std::string& profile = "") {
    provider_ = std::make_unique<S3Provider>(
        loop_.executor(), clock_, files_,
        [this](std::string_view name) -> std::optional<std::string> {
          const auto found = variables_.find(std::string(name));
          if (found == variables_.end()) return std::nullopt;
          return found->second;
        },
        S3Provider::Options{profile, "eu-west-1"});
    return *provider_;
  }
  Result<S3Credentials> get(S3Provider& from) {
    std::optional<Result<S3Credentials>> out;
    const auto run = [](S3Provider& p, std::optional<Result<S3Credentials>>& answered) -> Task<void> {
      auto got = co_await p.get();
      answered.emplace(std::move(got));
    };
    loop_.run_until_done(run(from, out));
    return *out;
  }
  std::string key_of(S3Provider& from) {
    const auto found = get(from);
    return found ? found->access_key + "/" + found->secret_key + "/" + found->session_token : found.error().to_string();
  }

  EventLoop loop_;
  MovedClock clock_{loop_.clock()};
  BlockingPool files_{1};
  std::string directory_, service_;
  std::map<std::string, std::string> variables_, answers_;
  std::vector<std::string> seen_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<S3Provider> provider_;
};

TEST_F(S3ProviderTest, the_environment_comes_first_unless_the_url_names_a_profile) {
  write("/.aws/credentials",
        "[default]\naws_access_key_id=D\naws_secret_access_key=DS\n"
        "[other]\naws_access_key_id = O\naws_secret_access_key = OS\naws_session_token = OT\n");
  EXPECT_EQ(key_of(provider()), "D/DS/");
  variables_["AWS_PROFILE"] = "other";
  EXPECT_EQ(key_of(provider()), "O/OS/OT");
  variables_["AWS_ACCESS_KEY_ID"] = "E";
  EXPECT_NE(key_of(provider()).find("AWS_SECRET_ACCESS_KEY is not"), std::string::npos);
  variables_["AWS_SECRET_ACCESS_KEY"] = "ES";
  EXPECT_EQ(key_of(provider()), "E/ES/");
  EXPECT_FALSE(provider_->renewable());
  EXPECT_EQ(key_of(provider("other")), "O/OS/OT");
  EXPECT_TRUE(provider_->renewable());
}

TEST_F(S3ProviderTest, what_a_profile_lacks_is_named) {
  EXPECT_NE(key_of(provider()).find("no S3 credentials: set AWS_ACCESS_KEY_ID"), std::string::npos);
  EXPECT_NE(key_of(provider("absent")).find("no profile 'absent'"), std::string::npos);
  write("/.aws/config", "[profile sso]\nsso_start_url = https://x\n[profile half]\naws_access_key_id = H\n");
  EXPECT_NE(key_of(provider("sso")).find("sso_start_url"), std::string::npos);
  EXPECT_NE(key_of(provider("half")).find("only one of"), std::string::npos);
  write("/.aws/config", "[default]\nnonsense\n");
  EXPECT_NE(key_of(provider()).find("line 2"), std::string::npos);
}

TEST_F(S3ProviderTest, a_web_identity_is_traded_for_keys) {
  write("/token", "a.jwt+token\n");
  variables_["AWS_WEB_IDENTITY_TOKEN_FILE"] = directory_ + "/token";
  variables_["AWS_ENDPOINT_URL_STS"] = service_;
  EXPECT_NE(key_of(provider()).find("AWS_ROLE_ARN"), std::string::npos);
  variables_["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/r";
  EXPECT_NE(key_of(provider()).find("404"), std::string::npos);
  answers_["/"] =
      "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
      "<AssumeRoleWithWebIdentityResult><Credentials><SessionToken>T</SessionToken><SecretAccessKey>S</SecretAccessKey>"
      "<Expiration>2999-01-01T00:00:00Z</Expiration><AccessKeyId>A</AccessKeyId></Credentials>"
      "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
  EXPECT_EQ(key_of(provider()), "A/S/T");
  EXPECT_NE(seen_.back().find(
                "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=millrace&WebIdentityToken=a.jwt%2Btoken"),
            std::string::npos)
      << seen_.back();
}

TEST_F(S3ProviderTest, a_container_service_is_asked) {
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = service_ + "/creds";
  answers_["/creds"] = R"({"AccessKeyId":"A","SecretAccessKey":"S","Token":"T","Expiration":"2999-01-01T00:00:00Z"})";
  EXPECT_EQ(key_of(provider()), "A/S/T");
  answers_["/creds"] = "{\"AccessKeyId\":\"A\"}";
  EXPECT_NE(key_of(provider()).find("no access key"), std::string::npos);
}

TEST_F(S3ProviderTest, an_instance_role_is_found_with_a_token) {
  variables_.erase("AWS_EC2_METADATA_DISABLED");
  variables_["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = service_;
  answers_["/latest/api/token"] = "session";
  answers_["/latest/meta-data/iam/security-credentials/"] = "my-role\n";
  answers_["/latest/meta-data/iam/security-credentials/my-role"] =
      R"({"Code":"Success","AccessKeyId":"A","SecretAccessKey":"S","Token":"T","Expiration":"2999-01-01T00:00:00Z"})";
  EXPECT_EQ(key_of(provider()), "A/S/T");
  EXPECT_EQ(seen_.front(), "PUT /latest/api/token ");
  EXPECT_EQ(seen_.size(), 3u);
}

TEST_F(S3ProviderTest, credentials_are_kept_and_renewed_before_they_expire) {
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = service_ + "/creds";
  answers_["/creds"] = R"({"AccessKeyId":"one","SecretAccessKey":"S","Expiration":"2999-01-01T00:00:00Z"})";
  S3Provider& from = provider();
  EXPECT_EQ(get(from)->access_key, "one");
  EXPECT_EQ(get(from)->access_key, "one");
  EXPECT_EQ(seen_.size(), 1u);
  answers_["/creds"] = R"({"AccessKeyId":"two","SecretAccessKey":"S","Expiration":"2999-06-01T00:00:00Z"})";
  clock_.ahead_ms = *parse_utc("2998-12-31T23:56:00Z") - loop_.clock().wall_ms();
  EXPECT_EQ(get(from)->access_key, "one");  // still good, and renewed beside
  const auto renewed = [](S3Provider& p) -> Task<void> {
    for (std::string key; key != "two";) {
      auto found = co_await p.get();
      key = found->access_key;
      co_await yield_now();
    }
  };
  loop_.run_until_done(renewed(from));
  EXPECT_EQ(seen_.size(), 2u);
  // Expired, and the service is away: passing trouble, as they were to be had before.
  answers_.clear();
  clock_.ahead_ms = *parse_utc("2999-06-01T00:00:01Z") - loop_.clock().wall_ms();
  EXPECT_EQ(get(from).error().code(), Code::kUnavailable);
  answers_["/creds"] = R"({"AccessKeyId":"three","SecretAccessKey":"S"})";
  EXPECT_EQ(get(from)->access_key, "three");
  answers_["/creds"] = R"({"AccessKeyId":"four","SecretAccessKey":"S"})";
  from.reject("another", "");
  EXPECT_EQ(get(from)->access_key, "three");
  from.reject("three", "");
  EXPECT_EQ(get(from)->access_key, "four");
}

TEST(S3Credentials, times_are_read) {
  EXPECT_EQ(parse_utc("1970-01-01T00:00:01Z"), 1000);
  EXPECT_EQ(parse_utc("2013-05-24T00:00:00Z"), 1369353600000);
  EXPECT_EQ(parse_utc("2013-05-24T00:00:00.123Z"), 1369353600000);
  for (const char* odd : {"", "2013-05-24", "2013-05-24T00:00:00", "2013-02-30T00:00:00Z", "2013-05-24T25:00:00Z",
                          "2013-05-24 00:00:00Z"})
    EXPECT_FALSE(parse_utc(odd)) << odd;
}

TEST(S3Credentials, profiles_are_sections_of_either_form) {
  const std::string text =
      "; c\n[default]\nregion = a\ns3 =\n  addressing_style = path\n[profile x]\r\nregion=b # no comment\r\n";
  EXPECT_EQ(parse_profile(text, "default")->at("region"), "a");
  EXPECT_EQ(parse_profile(text, "default")->size(), 2u);
  EXPECT_EQ(parse_profile(text, "x")->at("region"), "b # no comment");
  EXPECT_TRUE(parse_profile(text, "y")->empty());
  EXPECT_FALSE(parse_profile("[default\n", "default"));
}

TEST(S3Credentials, refusals_in_json_are_told) {
  const auto refused = parse_credentials_json(R"({"Code":"Failed","Message":"no role"})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kDenied);
  for (const char* odd : {"", "[]", "{", "{\"AccessKeyId\":1,\"SecretAccessKey\":\"x\"}"})
    EXPECT_FALSE(parse_credentials_json(odd)) << odd;
}

}  // namespace
}  // namespace millrace::object
