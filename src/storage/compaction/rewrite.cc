#include "storage/compaction/rewrite.h"

#include <cstring>

#include "base/log.h"
#include "cluster/bucket_layout.h"
#include "storage/compaction/publish.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kBufferBytes = 1 << 20;

}  // namespace

RewriteOutput::RewriteOutput(EngineParts& parts, std::uint32_t level) : parts_(parts), level_(level), birth_(parts) {}

void RewriteOutput::begin_extent(const PartitionId& partition, std::int64_t base_offset) {
  partition_ = partition;
  from_ = base_offset;
  split();
}

void RewriteOutput::split() {
  open_ = false;
  extent_bytes_ = 0;
}

Slice RewriteOutput::copied(const Slice& batch) {
  if (batch.size() > kBufferBytes / 4) return Slice::copy_of(batch);
  if (room_.size() < batch.size()) room_ = Slice::uninitialized(kBufferBytes);
  Slice copy = room_.sub(0, batch.size());
  std::memcpy(copy.mutable_data(), batch.data(), batch.size());
  room_ = room_.sub(batch.size());
  return copy;
}

ObjectBuilder& RewriteOutput::builder() {
  if (!builder_)
    builder_ = std::make_unique<ObjectBuilder>(birth_.seq(), parts_.cluster.broker_id(), parts_.cluster.incarnation());
  return *builder_;
}

Task<Result<void>> RewriteOutput::add(BatchHeader head, Slice batch) {
  if (builder_ && builder_->size() + batch.size() > parts_.options.object_bytes_target) {
    CO_TRY_VOID(co_await upload());
    open_ = false;
  }
  ObjectBuilder& object = builder();
  if (!open_) object.begin_extent(partition_, from_);
  open_ = true;
  from_ = head.last_offset() + 1;
  extent_bytes_ += batch.size();
  SliceChain bytes;
  bytes.append(copied(batch));
  object.add_batch(partition_, head.base_offset, from_, head.max_timestamp, std::move(bytes));
  co_return Result<void>();
}

void RewriteOutput::add_state(const cluster::StateExtent& state, std::string_view bytes) {
  builder().add_state(state.partition, state.follows, state.end_offset, std::string(bytes));
}

Task<Result<void>> RewriteOutput::upload() {
  auto built = builder_->finish();
  builder_.reset();
  cluster::NewObject made;
  made.key = cluster::object_key(birth_.seq(), parts_.random.next(), parts_.random.next());
  made.birth = birth_.seq();
  made.size_bytes = built.body.size();
  made.level = level_;
  made.extents = std::move(built.extents);
  made.states = std::move(built.states);
  CO_TRY_VOID(co_await upload_object(parts_, made.key, std::move(built.body)));
  bytes_out_ += made.size_bytes;
  objects_.push_back(std::move(made));
  co_return Result<void>();
}

Task<Result<void>> RewriteOutput::commit(cluster::RewriteObjectsRecord record) {
  if (builder_) CO_TRY_VOID(co_await upload());
  record.objects = std::move(objects_);
  const std::size_t made = record.objects.size();
  const std::size_t objects = record.replaces_objects.size(), extents = record.replaces_extents.size();
  std::vector<cluster::Record> records;
  records.emplace_back(std::move(record));
  auto committed = co_await parts_.cluster.commit(std::move(records));
  if (!committed) co_return fail(std::move(committed).error().with("registering rewritten objects"));
  parts_.metrics.objects.Increment(static_cast<double>(made));
  parts_.metrics.object_bytes.Increment(static_cast<double>(bytes_out_));
  LOG_INFO("objects.rewritten", {"objects", made}, {"level", level_}, {"bytes", bytes_out_},
           {"replaced_objects", objects}, {"replaced_extents", extents});
  co_return Result<void>();
}

}  // namespace millrace::storage
