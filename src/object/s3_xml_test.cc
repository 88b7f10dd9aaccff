#include "object/s3_xml.h"

#include <gtest/gtest.h>

namespace millrace::object {
namespace {

const std::string kList = R"(<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>demo</Name><Prefix>p/</Prefix>
<KeyCount>2</KeyCount><MaxKeys>2</MaxKeys><IsTruncated>true</IsTruncated>
<NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>
<Contents><Key>p/a&amp;b&#x20;&lt;c&gt;</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>
<ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag><Size>434234</Size><StorageClass>STANDARD</StorageClass></Contents>
<Contents><Key>p/z</Key><Size>0</Size><Owner><ID>x</ID></Owner></Contents>
</ListBucketResult>
)";

TEST(S3Xml, a_list_page_is_read) {
  const auto page = parse_list_page(kList);
  ASSERT_TRUE(page) << page.error().to_string();
  ASSERT_EQ(page->objects.size(), 2u);
  EXPECT_EQ(page->objects[0].key, "p/a&b <c>");
  EXPECT_EQ(page->objects[0].size_bytes, 434234u);
  EXPECT_EQ(page->objects[1].key, "p/z");
  EXPECT_EQ(page->objects[1].size_bytes, 0u);
  EXPECT_TRUE(page->truncated);
  EXPECT_EQ(page->continuation, "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=");
}

TEST(S3Xml, a_list_cut_anywhere_is_refused) {
  const std::size_t end = kList.rfind('>') + 1;
  for (std::size_t size = 0; size < end; ++size) EXPECT_FALSE(parse_list_page(kList.substr(0, size))) << size;
  EXPECT_TRUE(parse_list_page(kList.substr(0, end)));
}

TEST(S3Xml, a_list_must_say_how_to_go_on) {
  const auto page = parse_list_page("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>");
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code(), Code::kCorrupt);
  EXPECT_FALSE(parse_list_page("<ListBucketResult><Contents><Size>x</Size></Contents></ListBucketResult>"));
  EXPECT_FALSE(parse_list_page("<html></html>"));
}

TEST(S3Xml, errors_are_read_and_other_documents_are_none) {
  const auto error = parse_s3_error(
      "<?xml version=\"1.0\"?>\n<Error><Code>RequestTimeTooSkewed</Code><Message>a &amp; b</Message>"
      "<ServerTime>2026-11-21T18:00:00Z</ServerTime><Region>eu-west-1</Region></Error>");
  EXPECT_EQ(error.code, "RequestTimeTooSkewed");
  EXPECT_EQ(error.message, "a & b");
  EXPECT_EQ(error.server_time, "2026-11-21T18:00:00Z");
  EXPECT_EQ(error.region, "eu-west-1");
  EXPECT_EQ(
      parse_s3_error("<Error><Code>InvalidRange</Code><ActualObjectSize>10</ActualObjectSize></Error>").object_size,
      10u);
  EXPECT_EQ(parse_s3_error("<ErrorResponse><Error><Code>ExpiredTokenException</Code></Error></ErrorResponse>").code,
            "ExpiredTokenException");
  for (const char* other : {"", "not found", "<html><body>404</body></html>", "<Error><Code>Cut</Code>"})
    EXPECT_EQ(parse_s3_error(other).code, "") << other;
}

TEST(S3Xml, a_batch_delete_names_what_it_could_not_do) {
  const auto errors = parse_delete_result(
      "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied</Code>"
      "<Message>no</Message></Error><Error><Key>c</Key><Code>InternalError</Code></Error></DeleteResult>");
  ASSERT_TRUE(errors);
  ASSERT_EQ(errors->size(), 2u);
  EXPECT_EQ((*errors)[0].key, "b");
  EXPECT_EQ((*errors)[0].code, "AccessDenied");
  EXPECT_EQ((*errors)[1].key, "c");
  EXPECT_EQ((*errors)[1].message, "");
  EXPECT_TRUE(parse_delete_result("<DeleteResult xmlns='x'/>")->empty());
  EXPECT_FALSE(parse_delete_result("<Other/>"));
  EXPECT_EQ(delete_document({"a&b"}),
            "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>"
            "<Object><Key>a&amp;b</Key></Object></Delete>");
}

TEST(S3Xml, multipart_answers_are_read) {
  EXPECT_EQ(
      *parse_upload_id("<InitiateMultipartUploadResult><UploadId>id-1</UploadId></InitiateMultipartUploadResult>"),
      "id-1");
  EXPECT_FALSE(parse_upload_id("<InitiateMultipartUploadResult/>"));
  EXPECT_EQ(
      parse_completed("  \n<CompleteMultipartUploadResult><ETag>\"e-2\"</ETag></CompleteMultipartUploadResult>")->etag,
      "\"e-2\"");
  const auto failed = parse_completed("<Error><Code>InternalError</Code><Message>m</Message></Error>");
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->etag, "");
  EXPECT_EQ(failed->error.code, "InternalError");
  EXPECT_FALSE(parse_completed(""));
  EXPECT_EQ(complete_document({"\"a\""}),
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            "<Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part></CompleteMultipartUpload>");
}

TEST(S3Xml, the_reader_knows_its_limits) {
  const XmlLeave ignore = [](std::string_view, std::string_view) {};
  std::string deep;
  for (int i = 0; i < 17; ++i) deep += "<a>";
  for (const std::string& bad :
       {deep, std::string("<!DOCTYPE x [<!ENTITY a \"b\">]><a/>"), std::string("<a>&nbsp;</a>"),
        std::string("<a>&#0;</a>"), std::string("<a>&#xd800;</a>"), std::string("<a>&amp</a>"), std::string("<a></b>"),
        std::string("<a/><b/>"), std::string("text"), std::string("<a>x</a>y"), std::string("<a b=\"<\"/"),
        std::string("</a>"), std::string("<>x</>")})
    EXPECT_FALSE(read_xml(bad, ignore)) << bad;
  std::string seen;
  const XmlLeave note = [&seen](std::string_view path, std::string_view text) {
    seen += std::string(path) + "=" + std::string(text) + ";";
  };
  ASSERT_TRUE(read_xml("<!-- c --><n:a x='>'><b><![CDATA[<&]]></b ><c/>&#228;&#x20AC;&#x1F600;</n:a> ", note));
  EXPECT_EQ(seen, "a/b=<&;a/c=;a=\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80;");
}

}  // namespace
}  // namespace millrace::object
