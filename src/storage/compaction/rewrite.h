// RewriteOutput: the objects that a merge or a key compaction makes of others. Batches go in by partition and offset;
// an object that is full is uploaded, and one record registers all of them in place of what they replace (rules 9, 42).
// In memory: one object.
//
// A failure leaves orphans, which are collected as such, never deleted here (rule 33). One thread.
#pragma once

#include "storage/compaction/publish.h"
#include "storage/engine_parts.h"
#include "storage/log/batch_header.h"

namespace millrace::storage {

class RewriteOutput {
 public:
  RewriteOutput(EngineParts& parts, std::uint32_t level);
  RewriteOutput(const RewriteOutput&) = delete;
  RewriteOutput& operator=(const RewriteOutput&) = delete;

  // Batches from here on are of `partition`, and serve its offsets from `base_offset` on.
  void begin_extent(const PartitionId& partition, std::int64_t base_offset);
  // The extent ends where its last batch does, and another one goes on from there.
  void split();
  // Copies the bytes, so that nothing else of what was read is held.
  Task<Result<void>> add(BatchHeader head, Slice batch);
  // After all batches.
  void add_state(const cluster::StateExtent& state, std::string_view bytes);
  // Bytes in the extent that is open.
  std::uint64_t extent_bytes() const { return extent_bytes_; }
  std::uint64_t bytes_out() const { return bytes_out_; }

  // Uploads the rest and commits `record`, to which the objects are added.
  Task<Result<void>> commit(cluster::RewriteObjectsRecord record);

 private:
  Task<Result<void>> upload();
  ObjectBuilder& builder();
  Slice copied(const Slice& batch);

  EngineParts& parts_;
  const std::uint32_t level_;
  const UploadBirth birth_;
  std::unique_ptr<ObjectBuilder> builder_;  // none: nothing was put into it
  std::vector<cluster::NewObject> objects_;
  PartitionId partition_;
  std::int64_t from_ = 0;  // where the extent begins, or its last batch ended
  bool open_ = false;      // the object holds a part of the extent
  std::uint64_t extent_bytes_ = 0, bytes_out_ = 0;
  Slice room_;  // what is left of the buffer that takes small batches
};

}  // namespace millrace::storage
