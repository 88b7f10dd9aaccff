#include "object/s3_provider.h"

#include <fmt/format.h>

#include "base/log.h"
#include "net/http_client.h"
#include "object/file_text.h"
#include "object/s3_sign.h"
#include "object/s3_url.h"

namespace millrace::object {
namespace {

constexpr std::int64_t kRenewAheadMs = 5 * 60 * 1000;
constexpr Duration kMetadataTimeout = 2s;

std::string home_file(const Environment& environment, std::string_view override_name, std::string_view below_home) {
  if (const auto path = variable(environment, override_name)) return *path;
  const auto home = variable(environment, "HOME");
  return home ? *home + std::string(below_home) : "";
}

// The section of one file; a file that is not there has none.
Result<S3Profile> profile_of(const std::string& path, const std::string& name) {
  if (path.empty()) return S3Profile();
  auto text = read_file_text(path);
  if (!text && text.error().code() == Code::kNotFound) return S3Profile();
  if (!text) return fail(std::move(text).error());
  auto profile = parse_profile(*text, name);
  if (!profile) return fail(std::move(profile).error().with(path));
  return profile;
}

struct ServiceUrl {
  bool tls = false;
  std::string host;
  std::uint16_t port = 80;
  std::string target;
};

Result<ServiceUrl> parse_service_url(std::string_view text) {
  ServiceUrl url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.tls = true;
    url.port = 443;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return fail(Code::kInvalid, fmt::format("'{}' is no http:// or https:// URL", text));
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  url.target = slash == rest.size() ? "/" : std::string(rest.substr(slash));
  const std::string_view authority = rest.substr(0, slash);
  const bool has_port = authority.rfind(':') != std::string_view::npos && !authority.ends_with(']');
  TRY(const net::Address address,
      net::Address::parse(has_port ? std::string(authority) : fmt::format("{}:{}", authority, url.port)));
  url.host = address.host;
  url.port = address.port;
  return url;
}

Task<Result<net::HttpReply>> ask(Executor executor, Clock& clock, ServiceUrl url, net::HttpCall call) {
  net::HttpClientOptions options;
  options.address = {url.host, url.port};
  options.connect_timeout = kMetadataTimeout;
  options.reply_timeout = kMetadataTimeout;
  if (url.tls) {
    options.connect_timeout = options.reply_timeout = 10s;
    CO_TRY(options.tls, net::make_tls_context(""));
  }
  net::HttpClient client(std::move(executor), clock, std::move(options));
  CO_TRY(net::HttpReply reply, co_await client.send(std::move(call)));
  if (reply.status / 100 != 2) {
    const Code code = reply.status >= 500 || reply.status == 429 ? Code::kUnavailable : Code::kDenied;
    co_return fail(code, fmt::format("{} answered {} {}", url.host, reply.status, reply.body.view().substr(0, 200)));
  }
  co_return reply;
}

net::HttpCall get_call(std::string target) {
  net::HttpCall call;
  call.method = "GET";
  call.target = std::move(target);
  call.reply_bytes_max = 1 << 20;
  return call;
}

}  // namespace

Result<S3Profile> load_profile(const Environment& environment, const std::string& named) {
  const std::string asked = !named.empty() ? named : variable(environment, "AWS_PROFILE").value_or("");
  const std::string name = asked.empty() ? "default" : asked;
  const std::string config = home_file(environment, "AWS_CONFIG_FILE", "/.aws/config");
  const std::string secrets = home_file(environment, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
  TRY(S3Profile profile, profile_of(config, name));
  TRY(const S3Profile more, profile_of(secrets, name));
  for (const auto& [key, value] : more) profile[key] = value;
  if (profile.empty() && !asked.empty())
    return fail(Code::kNotFound, fmt::format("there is no profile '{}' in {} or {}", asked, secrets, config));
  return profile;
}

struct S3Provider::State {
  Executor executor;
  Clock& clock;
  BlockingPool& files;
  Environment environment;
  Options options;
  std::optional<S3Credentials> current;
  std::optional<Error> failure;  // of the last renewal
  bool renewing = false;
  bool from_environment = false;
  bool ever_found = false;
  Event renewed;

  std::optional<std::string> env(std::string_view name) const { return variable(environment, name); }
  Task<Result<std::string>> file(std::string path) {
    co_return co_await files.run([&path] { return read_file_text(path); });
  }

  bool expired(std::int64_t ahead_ms) const {
    return current && current->expires_ms != 0 && clock.wall_ms() + ahead_ms >= current->expires_ms;
  }

  static Task<Result<S3Credentials>> web_identity(std::shared_ptr<State> self, std::string token_file, std::string role,
                                                  std::string session) {
    CO_TRY(std::string token, co_await self->file(token_file));
    while (!token.empty() && (token.back() == '\n' || token.back() == ' ')) token.pop_back();
    const std::string where =
        self->env("AWS_ENDPOINT_URL_STS").value_or(fmt::format("https://sts.{}.amazonaws.com", self->options.region));
    CO_TRY(ServiceUrl url, parse_service_url(where));
    net::HttpCall call;
    call.method = "POST";
    call.target = url.target;
    call.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
    call.body.append_copy(fmt::format(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName={}&WebIdentityToken={}",
        s3_encode(role, S3Encode::kQuery), s3_encode(session, S3Encode::kQuery), s3_encode(token, S3Encode::kQuery)));
    CO_TRY(const net::HttpReply reply, co_await ask(self->executor, self->clock, url, std::move(call)));
    co_return parse_assumed_role(reply.body.view());
  }

  static Task<Result<S3Credentials>> container(std::shared_ptr<State> self) {
    std::string where;
    if (const auto relative = self->env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")) {
      where = "http://169.254.170.2" + *relative;
    } else {
      where = *self->env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    }
    CO_TRY(ServiceUrl url, parse_service_url(where));
    net::HttpCall call = get_call(url.target);
    std::string token = self->env("AWS_CONTAINER_AUTHORIZATION_TOKEN").value_or("");
    if (const auto path = self->env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) {
      CO_TRY(token, co_await self->file(*path));
      while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
    }
    if (token.find_first_of("\r\n") != std::string::npos)
      co_return fail(Code::kInvalid, "the container's authorization token has a line break");
    if (!token.empty()) call.headers.push_back({"Authorization", token});
    CO_TRY(const net::HttpReply reply, co_await ask(self->executor, self->clock, url, std::move(call)));
    co_return parse_credentials_json(reply.body.view());
  }

  static Task<Result<S3Credentials>> instance(std::shared_ptr<State> self) {
    const std::string where = self->env("AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or("http://169.254.169.254");
    CO_TRY(ServiceUrl url, parse_service_url(where));
    net::HttpCall token_call;
    token_call.method = "PUT";
    token_call.target = "/latest/api/token";
    token_call.headers = {{"X-aws-ec2-metadata-token-ttl-seconds", "21600"}};
    CO_TRY(const net::HttpReply token, co_await ask(self->executor, self->clock, url, std::move(token_call)));
    const net::HttpHeader shown{"X-aws-ec2-metadata-token", std::string(token.body.view())};
    const std::string base = "/latest/meta-data/iam/security-credentials/";
    net::HttpCall role_call = get_call(base);
    role_call.headers = {shown};
    CO_TRY(const net::HttpReply roles, co_await ask(self->executor, self->clock, url, std::move(role_call)));
    const std::string_view listed = roles.body.view();
    const std::string role(listed.substr(0, listed.find('\n')));
    if (role.empty()) co_return fail(Code::kDenied, "this instance has no role");
    net::HttpCall key_call = get_call(base + s3_encode(role, S3Encode::kPath));
    key_call.headers = {shown};
    CO_TRY(const net::HttpReply keys, co_await ask(self->executor, self->clock, url, std::move(key_call)));
    co_return parse_credentials_json(keys.body.view());
  }

  static Result<S3Credentials> of_profile(const S3Profile& profile) {
    const auto value = [&profile](const char* key) {
      const auto found = profile.find(key);
      return found == profile.end() ? std::string() : found->second;
    };
    S3Credentials credentials{value("aws_access_key_id"), value("aws_secret_access_key"), value("aws_session_token")};
    if (credentials.access_key.empty() != credentials.secret_key.empty())
      return fail(Code::kDenied, "the profile has only one of aws_access_key_id and aws_secret_access_key");
    if (!credentials.access_key.empty()) return credentials;
    for (const char* other : {"credential_process", "sso_session", "sso_start_url", "source_profile", "role_arn"}) {
      if (profile.contains(other))
        return fail(Code::kDenied, fmt::format("the profile wants {}, which Millrace does not do: write temporary keys "
                                               "into the profile or the environment, or use a web identity",
                                               other));
    }
    return credentials;  // empty: it says nothing of credentials
  }

  static std::unexpected<Error> in(std::string_view source, Error error) {
    return fail(std::move(error).with(fmt::format("credentials from the {}", source)));
  }

  static Task<Result<S3Credentials>> look(std::shared_ptr<State> self) {
    self->from_environment = false;
    if (const auto key = self->env("AWS_ACCESS_KEY_ID"); key && self->options.profile.empty()) {
      const auto secret = self->env("AWS_SECRET_ACCESS_KEY");
      if (!secret) co_return fail(Code::kDenied, "AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not");
      self->from_environment = true;
      S3Credentials credentials{*key, *secret, self->env("AWS_SESSION_TOKEN").value_or("")};
      co_return credentials;
    }
    auto profile = co_await self->files.run(
        [state = self.get()] { return load_profile(state->environment, state->options.profile); });
    if (!profile) co_return in("profile", Error(Code::kDenied, profile.error().message()));
    const bool named = !self->options.profile.empty();
    auto token_file = named ? std::nullopt : self->env("AWS_WEB_IDENTITY_TOKEN_FILE");
    auto role = named ? std::nullopt : self->env("AWS_ROLE_ARN");
    std::string session = self->env("AWS_ROLE_SESSION_NAME").value_or("millrace");
    if (!token_file && profile->contains("web_identity_token_file")) {
      token_file = (*profile)["web_identity_token_file"];
      role = (*profile)["role_arn"];
      if (profile->contains("role_session_name")) session = (*profile)["role_session_name"];
    }
    if (token_file) {
      if (!role || role->empty())
        co_return fail(Code::kDenied, "a web identity token file is set, but no AWS_ROLE_ARN");
      auto found = co_await web_identity(self, *token_file, *role, session);
      if (!found) co_return in("web identity", std::move(found).error());
      co_return found;
    }
    auto written = of_profile(*profile);
    if (!written) co_return in("profile", std::move(written).error());
    if (!written->access_key.empty()) co_return written;
    if (named) co_return fail(Code::kDenied, fmt::format("the profile '{}' has no credentials", self->options.profile));
    if (self->env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || self->env("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
      auto found = co_await container(self);
      if (!found) co_return in("container service", std::move(found).error());
      co_return found;
    }
    std::string why = "AWS_EC2_METADATA_DISABLED is set";
    if (self->env("AWS_EC2_METADATA_DISABLED").value_or("") != "true") {
      auto found = co_await instance(self);
      if (found) co_return found;
      why = found.error().message();
    }
    co_return fail(Code::kDenied,
                   fmt::format("no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a "
                               "profile in ~/.aws/credentials (also looked for: web identity, container "
                               "service, instance role: {})",
                               why));
  }

  static Task<Result<S3Credentials>> renew(std::shared_ptr<State> self) {
    self->renewing = true;
    auto found = co_await look(self);
    self->renewing = false;
    if (found) {
      self->current = *found;
      self->ever_found = true;
    } else {
      // Who had credentials once will have them again.
      const Code code = self->ever_found ? Code::kUnavailable : found.error().code();
      self->failure = Error(code, found.error().message());
      if (self->ever_found) LOG_WARN("object.credentials_not_renewed", {"error", found.error().message()});
      found = fail(*self->failure);
    }
    self->renewed.pulse();
    co_return found;
  }
  static Task<void> renew_ahead(std::shared_ptr<State> self) { (void)co_await renew(self); }

  static Task<Result<S3Credentials>> get(std::shared_ptr<State> self) {
    if (self->current && !self->expired(0)) {
      if (self->expired(kRenewAheadMs) && !self->renewing) {
        self->renewing = true;
        spawn_on(self->executor, renew_ahead(self));
      }
      co_return *self->current;
    }
    if (self->renewing) {
      co_await self->renewed.wait();
      if (self->current && !self->expired(0)) co_return *self->current;
      if (self->failure) co_return fail(*self->failure);
    }
    co_return co_await renew(self);
  }
};

S3Provider::S3Provider(Executor executor, Clock& clock, BlockingPool& files, Environment environment, Options options)
    : state_(new State{std::move(executor),
                       clock,
                       files,
                       std::move(environment),
                       std::move(options),
                       {},
                       {},
                       false,
                       false,
                       false,
                       {}}) {}
S3Provider::~S3Provider() = default;

Task<Result<S3Credentials>> S3Provider::get() { return State::get(state_); }

void S3Provider::reject(const std::string& access_key, const std::string& session_token) {
  auto& current = state_->current;
  if (current && current->access_key == access_key && current->session_token == session_token) current.reset();
}

bool S3Provider::renewable() const { return !state_->from_environment; }

}  // namespace millrace::object
