// A multipart upload that creates an object only if it is absent: parts in parallel, the condition on the completion.
//
// Any failure before the completion was sent is kUnavailable or a definite error: the object cannot be there. A part is
// tried three times (a part is no object, so that changes no outcome). The upload is aborted on every definite failure;
// after an unknown completion it is left to a lifecycle rule for incomplete uploads (docs/operations.md), as an abort
// could race with it.
#pragma once

#include <memory>
#include <string>

#include "object/s3_client.h"
#include "object/s3_store.h"

namespace millrace::object {

// Answers the ETag; kExists when the key is taken.
Task<Result<std::string>> upload_if_absent(std::shared_ptr<S3Client> client, S3StoreOptions options, std::string key,
                                           SliceChain body);

}  // namespace millrace::object
