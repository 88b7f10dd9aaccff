// A Log in memory, for tests: topics of one partition, shared by every Log that one MemoryLog opens.
#pragma once

#include <deque>

#include "sql/ingest/log.h"

namespace millrace::sql::ingest {

class MemoryLog final : public LogOpener {
 public:
  explicit MemoryLog(Clock& clock) : clock_(clock) {}

  void put(const std::string& topic, std::optional<std::string> key, std::optional<std::string> value) {
    auto& records = topics_[topic];
    client::Record record{std::move(key), std::move(value)};
    record.offset = static_cast<std::int64_t>(records.size());
    records.push_back(std::move(record));
    for (auto& waiter : waiters_) waiter->set();
    waiters_.clear();
  }
  std::size_t size(const std::string& topic) { return topics_[topic].size(); }

  Result<std::unique_ptr<Log>> open(const std::string&) override { return std::make_unique<Handle>(*this); }

 private:
  class Handle final : public Log {
   public:
    explicit Handle(MemoryLog& log) : log_(log) {}
    Task<Result<std::int32_t>> partition_count(std::string topic) override {
      if (!log_.topics_.contains(topic)) co_return fail(Code::kNotFound, "no topic " + topic);
      co_return 1;
    }
    Task<Result<void>> create_compacted_topic(std::string name) override {
      (void)log_.topics_[name];
      co_return Result<void>();
    }
    Task<Result<std::vector<std::string>>> list_topics() override {
      std::vector<std::string> names;
      for (const auto& [name, records] : log_.topics_) names.push_back(name);
      co_return names;
    }
    Task<Result<std::int64_t>> offset_of(client::TopicPartition partition, client::OffsetSpec spec) override {
      if (spec == client::OffsetSpec::kEarliest) co_return 0;
      co_return static_cast<std::int64_t>(log_.topics_[partition.topic].size());
    }
    Task<Result<std::vector<client::FetchedPartition>>> fetch(std::map<client::TopicPartition, std::int64_t> positions,
                                                              client::FetchOptions options) override {
      const auto deadline = log_.clock_.now() + options.max_wait;
      for (;;) {
        std::vector<client::FetchedPartition> all;
        bool any = false;
        for (const auto& [partition, next] : positions) {
          const auto& records = log_.topics_[partition.topic];
          client::FetchedPartition part{partition};
          part.high_watermark = static_cast<std::int64_t>(records.size());
          part.next_offset = next;
          if (next > part.high_watermark) part.error = Error(Code::kInvalid, "offset out of range");
          while (part.next_offset < part.high_watermark && part.records.size() < 1000) {
            part.records.push_back(records[static_cast<std::size_t>(part.next_offset++)]);
          }
          any |= !part.records.empty() || part.error;
          all.push_back(std::move(part));
        }
        if (any || log_.clock_.now() >= deadline) co_return all;
        auto event = std::make_shared<Event>();
        log_.waiters_.push_back(event);
        co_await event->wait_until(log_.clock_, deadline);
      }
    }
    Task<Result<void>> append(std::string topic, std::vector<client::Record> records) override {
      for (auto& record : records) log_.put(topic, std::move(record.key), std::move(record.value));
      co_return Result<void>();
    }

   private:
    MemoryLog& log_;
  };

  Clock& clock_;
  std::map<std::string, std::deque<client::Record>> topics_;
  std::vector<std::shared_ptr<Event>> waiters_;
};

}  // namespace millrace::sql::ingest
