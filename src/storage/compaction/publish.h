// What every compaction does at its end and its beginning, whoever's slots it reads: an object's upload and its
// Register, and the producers' state on which it builds.
#pragma once

#include "storage/compaction/object_codec.h"
#include "storage/engine_parts.h"

namespace millrace::storage {

// A slot that an object replaces.
using ReplacedSlots = std::vector<SlotAddress>;

// The birth of an upload, for as long as it is under way: the orphan floor stays at or below it (rule 35).
class UploadBirth {
 public:
  explicit UploadBirth(EngineParts& parts)
      : parts_(parts), entry_(parts.births.insert(parts.cluster.state().applied())) {}
  UploadBirth(const UploadBirth&) = delete;
  UploadBirth& operator=(const UploadBirth&) = delete;
  ~UploadBirth() { parts_.births.erase(entry_); }
  cluster::LogSeq seq() const { return *entry_; }

 private:
  EngineParts& parts_;
  std::multiset<cluster::LogSeq>::iterator entry_;
};

// Writes a new object; its name belongs to nobody else.
Task<Result<void>> upload_object(EngineParts& parts, std::string key, SliceChain body);

// Uploads what `builder` holds under a new name, registers it in place of `slots` (rule 9), then deletes these. Answers
// the object's size. After a failure nothing is lost: the name, if it came to be, is collected as an orphan (rule 33).
Task<Result<std::uint64_t>> publish_object(EngineParts& parts, ObjectBuilder& builder, cluster::LogSeq birth,
                                           ReplacedSlots slots);

struct Checkpoint {
  std::int64_t end_offset = 0;
  ProducerTable producers;
};
// The registered producers of a partition, an empty table at 0 when there are none. kNotFound: it moved meanwhile, or
// the partition is gone.
Task<Result<Checkpoint>> load_checkpoint(EngineParts& parts, PartitionId id);

}  // namespace millrace::storage
