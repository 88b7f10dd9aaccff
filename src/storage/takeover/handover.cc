#include "storage/takeover/handover.h"

#include <algorithm>

namespace millrace::storage {
namespace {

constexpr Duration kHandoverPatience = 1s;
constexpr std::size_t kWishesAtOnce = 1000;

using Answer = Promise<Result<Handover>>;

Task<Result<Handover>> ask(EngineParts& parts, cluster::WalId of, std::vector<HandoverWish> wishes) {
  CO_TRY(const std::string answer, co_await parts.cluster.ask_storage(of, encode_question(wishes), kHandoverPatience));
  co_return decode_handover(answer);
}

Task<void> ask_into(EngineParts& parts, cluster::WalId of, std::vector<HandoverWish> wishes, Answer into) {
  Result<Handover> answer = co_await ask(parts, of, std::move(wishes));
  into.set(std::move(answer));
}

// Nothing that an object has already is missed, nothing beyond the base is there, and every slot is of a WAL that the
// metadata names for this partition.
bool fits(const HandoverCase& wanted, const Handover& answer, const HandedPartition& handed) {
  const auto first = std::ranges::find_if(
      handed.entries, [&](const BatchEntry& entry) { return entry.next_offset() > wanted.registered_end; });
  if (first == handed.entries.end() || first->base_offset != wanted.registered_end) return false;
  if (handed.entries.back().next_offset() != wanted.base_offset) return false;
  return std::all_of(first, handed.entries.end(), [&](const BatchEntry& entry) {
    const SlotAddress& at = answer.slots[entry.slot].address;
    return std::ranges::any_of(wanted.past, [&](const cluster::PastLeadership& past) {
      return past.broker_id == at.broker_id && past.incarnation == at.incarnation && at.slot <= past.last_slot;
    });
  });
}

}  // namespace

// The controller recovers WALs of brokers that are gone, a broker those of its own past.
Task<Result<std::vector<RecoveredSlot>>> ask_recoverer(EngineParts& parts, FootersWish wish) {
  std::string question = encode_question(wish);
  Result<std::vector<RecoveredSlot>> told = fail(Code::kUnavailable, "nobody is there to ask");
  for (const std::int32_t id : {wish.wal.broker_id, parts.cluster.state().controller_id()}) {
    const auto& brokers = parts.cluster.state().brokers();
    const auto broker = brokers.find(id);
    if (broker == brokers.end() || !broker->second.is_live()) continue;
    const cluster::WalId asked{id, broker->second.current};
    const Result<std::string> answer = co_await parts.cluster.ask_storage(asked, question, kHandoverPatience);
    if (answer) told = decode_footers(*answer, wish);
    if (told) break;
  }
  co_return told;
}

Task<void> Handovers::ask_for(EngineParts& parts, std::vector<HandoverCase> cases) {
  std::map<PartitionId, HandoverCase> wanted;
  std::map<cluster::WalId, std::vector<HandoverWish>> wishes;
  for (auto& one : cases) {
    if (one.past.empty() || one.registered_end == one.base_offset) continue;
    wishes[{one.past.back().broker_id, one.past.back().incarnation}].push_back(
        {one.id, one.registered_end, one.base_offset});
    wanted.emplace(one.id, std::move(one));
  }
  TaskScope scope(parts.executor);
  std::vector<Answer> answers;
  for (auto& [leader, all] : wishes) {
    for (std::size_t from = 0; from < all.size(); from += kWishesAtOnce) {
      const auto first = all.begin() + static_cast<std::ptrdiff_t>(from);
      const auto last = all.begin() + static_cast<std::ptrdiff_t>(std::min(from + kWishesAtOnce, all.size()));
      answers.emplace_back();
      scope.spawn(ask_into(parts, leader, std::vector<HandoverWish>(first, last), answers.back()));
    }
  }
  for (const auto& answer : answers) {
    Result<Handover> handover = co_await answer.wait();
    if (handover) take(wanted, std::move(*handover));
  }
  co_await scope.stop();
}

void Handovers::take(const std::map<PartitionId, HandoverCase>& cases, Handover answer) {
  const Handover& held = answers_.emplace_back(std::move(answer));
  for (const auto& partition : held.partitions) {
    const auto wanted = cases.find(partition.id);
    if (wanted != cases.end() && fits(wanted->second, held, partition)) found_[partition.id] = {&held, &partition};
  }
}

std::optional<Handovers::Handed> Handovers::find(const PartitionId& id) const {
  const auto at = found_.find(id);
  if (at == found_.end()) return std::nullopt;
  return Handed{at->second.first->slots, *at->second.second};
}

}  // namespace millrace::storage
