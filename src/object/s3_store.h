// A bucket on S3 or a compatible store (`s3://`), as a Store driver: one attempt per call, outcomes by s3_outcome.h.
//
//   put_if_absent    PUT with If-None-Match: *; bodies above `multipart_bytes` by multipart upload, whose completion
//                    carries the condition (s3_upload.h)
//   put_if_match     PUT with If-Match
//   get_range        GET with Range; the answer's Content-Range must be the one asked for
//   get_if_changed   GET with If-None-Match
//   remove           DELETE for one key, DeleteObjects for up to 1000 a request; each key's own outcome is looked at
//   list             ListObjectsV2, page by page
//
// What stores were seen to do, and why it does not hurt: an answer to GET beside an overwrite may carry the ETag before
// the body's (versitygw): a swap with it is refused and read again, and get_if_changed sees a change. A 409 for a key
// whose folder is being removed (versitygw) is "not applied". DELETE may ignore conditions: none is ever sent.
//
// One thread: the executor's. May be destroyed while calls run; clock and pool must outlive them.
#pragma once

#include <memory>

#include "object/s3_client.h"
#include "object/store.h"

namespace millrace::object {

struct S3StoreOptions {
  std::size_t multipart_bytes = 64 << 20;
  std::size_t part_bytes = 16 << 20;  // at least 5 MiB, as S3 wants it
  std::size_t parts_in_flight = 4;
};

std::unique_ptr<Store> make_s3_store(std::shared_ptr<S3Client> client, S3StoreOptions options = {});

}  // namespace millrace::object
