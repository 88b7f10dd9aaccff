#include "object/s3_outcome.h"

#include <gtest/gtest.h>

namespace millrace::object {
namespace {

S3Answer answer_of(int status, std::string code) {
  S3Answer answer;
  answer.status = status;
  answer.error.code = std::move(code);
  return answer;
}

const S3Context kContext{"PUT wal/1", "demo", "https://s3.test", "us-east-1", false};

TEST(S3Outcome, the_table) {
  struct Case {
    int status;
    const char* code;
    Code means;
  };
  const Case cases[] = {
      {412, "PreconditionFailed", Code::kExists},
      {412, "", Code::kExists},
      {404, "NoSuchKey", Code::kNotFound},
      {404, "NoSuchBucket", Code::kInvalid},
      {404, "NoSuchUpload", Code::kUnavailable},
      {404, "XAdminUserNotFound", Code::kDenied},
      {404, "", Code::kCorrupt},
      {409, "ConditionalRequestConflict", Code::kUnavailable},
      {409, "OperationAborted", Code::kUnavailable},
      {409, "ExistingObjectIsDirectory", Code::kUnavailable},
      {403, "AccessDenied", Code::kDenied},
      {403, "", Code::kDenied},
      {401, "", Code::kDenied},
      {400, "ExpiredToken", Code::kDenied},
      {400, "AuthorizationHeaderMalformed", Code::kInvalid},
      {400, "RequestTimeout", Code::kUnavailable},
      {400, "BadDigest", Code::kUnavailable},
      {400, "EntityTooLarge", Code::kInvalid},
      {301, "PermanentRedirect", Code::kInvalid},
      {405, "MethodNotAllowed", Code::kUnsupported},
      {501, "NotImplemented", Code::kUnsupported},
      {507, "", Code::kExhausted},
      {507, "XMinioStorageFull", Code::kExhausted},
      {403, "QuotaExceeded", Code::kExhausted},
      {429, "", Code::kTimeout},
      {500, "InternalError", Code::kTimeout},
      {502, "", Code::kTimeout},
      {503, "SlowDown", Code::kTimeout},
      {504, "", Code::kTimeout},
      {206, "", Code::kCorrupt},
  };
  for (const auto& test : cases)
    EXPECT_EQ(s3_failure(answer_of(test.status, test.code), kContext).code(), test.means)
        << test.status << " " << test.code;
}

TEST(S3Outcome, an_expired_token_that_can_be_renewed_is_no_refusal) {
  S3Context renewable = kContext;
  renewable.renewable = true;
  EXPECT_EQ(s3_failure(answer_of(400, "ExpiredToken"), renewable).code(), Code::kUnavailable);
  EXPECT_EQ(s3_failure(answer_of(403, "AccessDenied"), renewable).code(), Code::kDenied);
}

TEST(S3Outcome, messages_name_request_endpoint_and_remedy) {
  S3Answer answer = answer_of(301, "PermanentRedirect");
  answer.bucket_region = "eu-west-1";
  const std::string moved = s3_failure(answer, kContext).message();
  for (const char* part : {"PUT wal/1", "https://s3.test", "301", "region=eu-west-1"})
    EXPECT_NE(moved.find(part), std::string::npos) << moved;
  answer = answer_of(403, "RequestTimeTooSkewed");
  answer.error.server_time = "2026-11-21T18:00:00Z";
  const std::string skewed = s3_failure(answer, kContext).message();
  EXPECT_NE(skewed.find("clock differs from the store's (2026-11-21T18:00:00Z)"), std::string::npos) << skewed;
  EXPECT_NE(s3_failure(answer_of(403, "SignatureDoesNotMatch"), kContext).message().find("AWS_SECRET_ACCESS_KEY"),
            std::string::npos);
  EXPECT_NE(s3_failure(answer_of(403, "AccessDenied"), kContext).message().find("s3:PutObject"), std::string::npos);
}

}  // namespace
}  // namespace millrace::object
