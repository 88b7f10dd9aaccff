// Merger: makes one longer object (or a few) of neighbouring small ones (merge_plan.h).
//
// Of the live brokers one is responsible for each group, by its oldest object; two that both think so do no harm, as
// one record wins (rule 9). All inputs are read side by side, partition by partition, past the block cache: a chunk of
// each and one output are in memory. Only what still lives in the metadata is taken over, with the producers' state
// that lives there. One merge at a time; gives way to others between batches. One thread.
#pragma once

#include <vector>

#include "storage/compaction/merge_plan.h"
#include "storage/compaction/object_stream.h"
#include "storage/compaction/rewrite.h"

namespace millrace::storage {

class Merger {
 public:
  explicit Merger(EngineParts& parts) : parts_(parts) {}

  // One group; false when none is complete, or others are responsible for them.
  Task<Result<bool>> merge_once();

 private:
  struct Input {
    std::string key;
    std::unique_ptr<ObjectStream> stream;
    std::vector<cluster::Extent> extents;  // live ones, by partition and offset
    std::size_t next = 0;                  // of them
  };
  struct State {
    cluster::StateExtent place;
    std::size_t input = 0;
  };
  using Inputs = std::vector<Input>;
  Task<Result<Input>> open_input(std::string key);
  static Input* first_of(Inputs& inputs);
  Task<Result<void>> merge_batches(Inputs& inputs, RewriteOutput& output);
  Task<Result<void>> merge_states(Inputs& inputs, RewriteOutput& output);
  std::vector<State> live_states(const Inputs& inputs) const;

  EngineParts& parts_;
};

}  // namespace millrace::storage
