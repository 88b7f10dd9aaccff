// What an S3 answer means, as the Store contract's codes (store.h): the whole table of statuses and error codes in one
// place. Every message says which request it was, and for an operator's errors what to check. Pure.
//
//   412                                     kExists        the precondition did not hold
//   404 NoSuchKey                           kNotFound
//   404 NoSuchBucket                        kInvalid       create the bucket or correct the URL
//   404 without an S3 error document        kCorrupt       is the endpoint an S3 server? never taken for "absent"
//   409 of any kind                         kUnavailable   a conflict that was not applied
//   (ConditionalRequestConflict..) 403, and credential errors with 400     kDenied        (kUnavailable when an expired
//   token can be renewed) 301, 307, 308, other 4xx                kInvalid       wrong region, name or size; repeating
//   cannot help 400 that blames the transfer            kUnavailable   RequestTimeout, IncompleteBody, BadDigest..: not
//   applied 501, 405                                kUnsupported   the store cannot do this 507, QuotaExceeded..
//   kExhausted 408, 429, 5xx                           kTimeout       unknown: a gateway may answer this for a write
//   that lands
//
// Source: "Error responses", Amazon S3 API reference, and what versitygw and MinIO were seen to answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "object/s3_xml.h"

namespace millrace::object {

struct S3Answer {
  int status = 0;
  S3ErrorBody error;          // empty code when there was no error document
  std::string bucket_region;  // header x-amz-bucket-region, empty when absent
  std::string date;           // header Date
};

struct S3Context {
  std::string operation;  // "PUT wal/00/1.2/3"
  std::string bucket, endpoint, region;
  bool renewable = false;  // whether credentials can be had anew
};

// `answer.status` is no success.
Error s3_failure(const S3Answer& answer, const S3Context& context);
// Of one key of a batch delete.
Code s3_delete_code(std::string_view code);
// Whether the credentials that were used are of no more use.
bool names_stale_credentials(std::string_view code);

}  // namespace millrace::object
