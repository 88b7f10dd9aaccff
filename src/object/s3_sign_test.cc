// The values are AWS's own: the Signature Version 4 test suite, and the worked examples of the S3 API reference.
#include "object/s3_sign.h"

#include <gtest/gtest.h>

#include "object/digest.h"

namespace millrace::object {
namespace {

const std::string kEmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string signature_of(const SignedRequest& request, const SigningKey& key, std::string_view date) {
  const std::string header = authorization(request, key, date);
  return header.substr(header.find("Signature=") + 10);
}

struct SuiteCase {
  const char* name;
  SignedRequest request;
  const char* signature;
};

TEST(S3Sign, agrees_with_the_aws_test_suite) {
  const SigningKey key{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service"};
  const std::pair<std::string, std::string> host{"Host", "example.amazonaws.com"},
      date{"X-Amz-Date", "20150830T123600Z"};
  const SuiteCase cases[] = {
      {"get-vanilla",
       {"GET", "/", {}, {host, date}, kEmptyHash},
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"get-vanilla-query-order-key-case",
       {"GET", "/", {{"Param2", "value2"}, {"Param1", "value1"}}, {host, date}, kEmptyHash},
       "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
      {"post-vanilla",
       {"POST", "/", {}, {host, date}, kEmptyHash},
       "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
      {"get-header-value-trim",
       {"GET", "/", {}, {host, {"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}, date}, kEmptyHash},
       "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
  };
  for (const auto& test : cases)
    EXPECT_EQ(signature_of(test.request, key, "20150830T123600Z"), test.signature) << test.name;
}

TEST(S3Sign, agrees_with_the_examples_of_the_s3_reference) {
  const SigningKey key{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"};
  const std::pair<std::string, std::string> host{"host", "examplebucket.s3.amazonaws.com"},
      date{"x-amz-date", "20130524T000000Z"}, empty{"x-amz-content-sha256", kEmptyHash};
  const SignedRequest get{"GET", "/test.txt", {}, {host, {"range", "bytes=0-9"}, empty, date}, kEmptyHash};
  EXPECT_EQ(authorization(get, key, "20130524T000000Z"),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  const std::string hash = to_hex(view_of(sha256("Welcome to Amazon S3.")));
  const SignedRequest put{"PUT",
                          "/" + s3_encode("test$file.text", S3Encode::kPath),
                          {},
                          {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                           host,
                           date,
                           {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                           {"x-amz-content-sha256", hash}},
                          hash};
  EXPECT_EQ(signature_of(put, key, "20130524T000000Z"),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  const SignedRequest lifecycle{"GET", "/", {{"lifecycle", ""}}, {host, date, empty}, kEmptyHash};
  EXPECT_EQ(signature_of(lifecycle, key, "20130524T000000Z"),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  const SignedRequest list{"GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {host, date, empty}, kEmptyHash};
  EXPECT_EQ(signature_of(list, key, "20130524T000000Z"),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(S3Sign, names_are_encoded_once_and_in_capitals) {
  EXPECT_EQ(s3_encode("a/b c~\xc3\xa4", S3Encode::kPath), "a/b%20c~%C3%A4");
  EXPECT_EQ(s3_encode("a/b+c=", S3Encode::kQuery), "a%2Fb%2Bc%3D");
}

TEST(S3Sign, dates_are_utc) {
  EXPECT_EQ(amz_date(1369353600000), "20130524T000000Z");
  EXPECT_EQ(amz_date(1440938160999), "20150830T123600Z");
  EXPECT_EQ(amz_date(951827696000), "20000229T123456Z");
}

TEST(S3Sign, queries_sort_by_name_then_value) {
  const SignedRequest request{"GET", "/", {{"a-b", "1"}, {"a", "2"}, {"a", "1"}, {"B", ""}}, {}, ""};
  EXPECT_EQ(canonical_query(request), "B=&a=1&a=2&a-b=1");
}

}  // namespace
}  // namespace millrace::object
