// Who may log in: user `root` with an empty password, from loopback peers, until users exist. Both
// plugins, mysql_native_password and caching_sha2_password, are spoken, so that a password that was
// given is refused and not ignored. Pure functions over OpenSSL's hashes.
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"

namespace millrace::sql::mysql {

// 20 random bytes without zero and '$'.
std::string make_nonce(Random& random);

bool is_known_plugin(std::string_view plugin);

// What a client that knows `password` answers: SHA1(pw) ^ SHA1(nonce + SHA1(SHA1(pw))), and
// SHA256(pw) ^ SHA256(SHA256(SHA256(pw)) + nonce); empty for an empty password.
std::string native_password_scramble(std::string_view password, std::string_view nonce);
std::string caching_sha2_scramble(std::string_view password, std::string_view nonce);

bool is_loopback(std::string_view host);

struct Login {
  std::string user;
  std::string plugin;
  std::string response;
  std::string nonce;
  std::string peer_host;
};
// kDenied with MySQL's text for ERR 1045.
Result<void> check_login(const Login& login);

}  // namespace millrace::sql::mysql
