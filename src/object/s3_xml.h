// The XML that S3 and STS answer, as far as Millrace reads it: a list of objects, what a batch delete could not do,
// the steps of a multipart upload, errors, temporary credentials; and the two documents that it sends.
//
// The reader knows elements, text, the five named and the numeric entities, comments, CDATA and the declaration. It
// skips attributes and unknown elements, and refuses document types and depths beyond 16. Fails: kCorrupt, saying
// where. Pure; allocates in proportion to the input.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "object/store.h"

namespace millrace::object {

// Calls `leave` at the end of each element with its path ("ListBucketResult/Contents/Key") and its own text, children
// before parents. Namespace prefixes are dropped.
using XmlLeave = std::function<void(std::string_view path, std::string_view text)>;
Result<void> read_xml(std::string_view xml, const XmlLeave& leave);

struct S3ErrorBody {
  std::string code, message;
  std::string region;  // of AuthorizationHeaderMalformed and PermanentRedirect
  std::string server_time;
  std::optional<std::uint64_t> object_size;  // of InvalidRange
};
// Whatever it is: an empty code when it is no error document.
S3ErrorBody parse_s3_error(std::string_view xml);

struct S3ListPage {
  std::vector<Listed> objects;
  bool truncated = false;
  std::string continuation;
};
Result<S3ListPage> parse_list_page(std::string_view xml);

struct S3DeleteError {
  std::string key, code, message;
};
Result<std::vector<S3DeleteError>> parse_delete_result(std::string_view xml);
std::string delete_document(const std::vector<std::string>& keys);

Result<std::string> parse_upload_id(std::string_view xml);
// The ETag; an <Error> in an answer with status 200 is answered as `error` instead.
struct S3Completed {
  std::string etag;
  S3ErrorBody error;
};
Result<S3Completed> parse_completed(std::string_view xml);
std::string complete_document(const std::vector<std::string>& etags);

}  // namespace millrace::object
