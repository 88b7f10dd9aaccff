// Bytes of what brokers ask the controller and what it answers: docs/formats/peer-protocol.md is the contract. Decoding
// never trusts a length; what breaks the format is kCorrupt. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "cluster/description.h"
#include "cluster/load.h"
#include "cluster/records.h"

namespace millrace::cluster {

// A new incarnation of the asking broker, as an entry of the controller's.
struct PeerRegister {
  RegisterBrokerRecord record;
  Incarnation ended;  // of this broker, whose process certainly ended (rule 28); 0: none
};
// Batches to commit, each whole or not at all.
struct PeerCommit {
  std::vector<std::vector<Record>> batches;
};
// "I live and have applied up to `applied`": answered once the controller has more, or after a while.
struct PeerPoll {
  std::int32_t broker_id = -1;
  Incarnation incarnation;
  LogSeq applied;
  BrokerLoad load;
  std::uint64_t lease_wish = 0;  // of a disk WAL (lease.h): counts up with each Poll; 0: none
};
// "I do not hear the controller of this epoch, do you?" kOk: no, take its role.
struct PeerSuspect {
  std::uint64_t controller_epoch = 0;
};
// "What does the cluster look like?" Any broker answers.
struct PeerDescribe {};
// A question of one broker's storage to another's, which answers it if it still is this incarnation.
struct PeerStorage {
  Incarnation incarnation;
  std::string question;
};
struct PeerRequest {
  Uuid cluster_id;
  std::variant<PeerRegister, PeerCommit, PeerPoll, PeerSuspect, PeerDescribe, PeerStorage> what;
};

enum class PeerStatus : std::uint8_t { kOk = 0, kNotController = 1, kOtherCluster = 2, kControllerHeard = 3 };

struct PeerAnswer {
  PeerStatus status = PeerStatus::kOk;
  std::uint64_t controller_epoch = 0;
  LogSeq applied;                                 // the controller's
  std::uint64_t lease_granted = 0;                // to a Poll: the newest wish that is granted (rule 27)
  std::vector<Result<LogSeq>> commits;            // one for a Register, one for each batch of a Commit
  std::optional<ClusterDescription> description;  // of a Describe
  std::optional<std::string> from_storage;        // to a Storage; nothing: it is another incarnation, or cannot say
};

std::string encode_peer_request(const PeerRequest& request);
Result<PeerRequest> decode_peer_request(std::string_view bytes);
std::string encode_peer_answer(const PeerAnswer& answer);
Result<PeerAnswer> decode_peer_answer(std::string_view bytes);

}  // namespace millrace::cluster
