#include "sql/ingest/log.h"

namespace millrace::sql::ingest {

Task<Result<std::vector<client::Record>>> read_whole(Log& log, std::string topic) {
  const client::TopicPartition partition{topic, 0};
  CO_TRY(const std::int64_t end, co_await log.offset_of(partition, client::OffsetSpec::kLatest));
  CO_TRY(std::int64_t next, co_await log.offset_of(partition, client::OffsetSpec::kEarliest));
  std::vector<client::Record> records;
  while (next < end) {
    std::map<client::TopicPartition, std::int64_t> positions{{partition, next}};
    CO_TRY(auto fetched, co_await log.fetch(std::move(positions), {}));
    for (auto& part : fetched) {
      if (part.error) co_return fail(std::move(*part.error).with(topic));
      for (auto& record : part.records) records.push_back(std::move(record));
      next = std::max(next, part.next_offset);
    }
  }
  co_return records;
}

}  // namespace millrace::sql::ingest
