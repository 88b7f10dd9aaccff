#include "sql/mysql/auth.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/check.h"
#include "sql/mysql/protocol.h"

namespace millrace::sql::mysql {
namespace {

std::string digest(const EVP_MD* algorithm, std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), out, &size, algorithm, nullptr) == 1);
  return {reinterpret_cast<const char*>(out), size};
}

std::string xor_of(std::string a, std::string_view b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<char>(a[i] ^ b[i]);
  return a;
}

// The password that stands for "no users yet".
constexpr std::string_view kRootPassword;

}  // namespace

std::string make_nonce(Random& random) {
  std::string nonce(20, ' ');
  for (char& c : nonce) {
    do c = static_cast<char>(1 + random.below(126));
    while (c == '$');
  }
  return nonce;
}

bool is_known_plugin(std::string_view plugin) { return plugin == kNativePassword || plugin == kCachingSha2; }

std::string native_password_scramble(std::string_view password, std::string_view nonce) {
  if (password.empty()) return {};
  const std::string once = digest(EVP_sha1(), password);
  return xor_of(once, digest(EVP_sha1(), std::string(nonce) + digest(EVP_sha1(), once)));
}

std::string caching_sha2_scramble(std::string_view password, std::string_view nonce) {
  if (password.empty()) return {};
  const std::string once = digest(EVP_sha256(), password);
  return xor_of(once, digest(EVP_sha256(), digest(EVP_sha256(), once) + std::string(nonce)));
}

bool is_loopback(std::string_view host) {
  return host.starts_with("127.") || host == "::1" || host.starts_with("::ffff:127.") || host == "pipe";
}

Result<void> check_login(const Login& login) {
  const std::string expected = login.plugin == kCachingSha2 ? caching_sha2_scramble(kRootPassword, login.nonce)
                                                            : native_password_scramble(kRootPassword, login.nonce);
  // A lone zero byte is how some caching_sha2 clients send an empty password.
  const bool empty = login.response.empty() || login.response == std::string_view("\0", 1);
  const bool password_fits = empty ? expected.empty() : login.response == expected;
  if (login.user == "root" && password_fits && is_loopback(login.peer_host)) return {};
  return fail(Code::kDenied,
              fmt::format("Access denied for user '{}'@'{}' (using password: {}). Until users exist, log "
                          "in as root without a password from this machine.",
                          login.user, login.peer_host, empty ? "NO" : "YES"));
}

}  // namespace millrace::sql::mysql
