// Where S3 credentials come from: the usual chain of AWS's tools, the first that is set up.
//
//   1 environment    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN (not when the URL names a profile)
//   2 web identity   AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME, or the same of the profile;
//                    asks AWS_ENDPOINT_URL_STS, else https://sts.REGION.amazonaws.com
//   3 profile        AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials), AWS_CONFIG_FILE (~/.aws/config), AWS_PROFILE
//   4 container      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI, with AWS_CONTAINER_AUTHORIZATION_TOKEN[_FILE]
//   5 instance       IMDSv2, unless AWS_EC2_METADATA_DISABLED=true; AWS_EC2_METADATA_SERVICE_ENDPOINT
//
// A source that is set up and does not work is an error; the next ones are not tried. Credentials that expire are
// renewed 5 minutes ahead, one request at a time, while the old ones are still used. Fails: kDenied, naming what was
// looked for; kUnavailable when a service did not answer (again later).
//
// One thread: the executor's; files are read on the BlockingPool. May be destroyed while a call runs.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/task.h"
#include "object/environment.h"
#include "object/s3_credentials.h"

namespace millrace::object {

// The profile's settings of both files; empty when there are none. Blocks. An explicitly named profile that neither
// file has is kNotFound.
Result<S3Profile> load_profile(const Environment& environment, const std::string& named);

class S3Provider {
 public:
  struct Options {
    std::string profile;  // of the URL; empty: AWS_PROFILE
    std::string region;   // for STS
  };
  S3Provider(Executor executor, Clock& clock, BlockingPool& files, Environment environment, Options options);
  ~S3Provider();
  Task<Result<S3Credentials>> get();
  // The store refused these as stale: the next `get` looks anew.
  void reject(const std::string& access_key, const std::string& session_token);
  // Whether looking anew can give other ones: all sources but the environment.
  bool renewable() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace millrace::object
