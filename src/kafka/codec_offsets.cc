#include "kafka/codec_impl.h"
#include "kafka/messages/consumer_protocol.h"
#include "kafka/messages/group_records.h"
#include "kafka/messages/offset_commit.h"
#include "kafka/messages/offset_fetch.h"

namespace millrace::kafka {

template struct Codec<OffsetCommitRequest>;
template struct Codec<OffsetCommitResponse>;
template struct Codec<OffsetFetchRequest>;
template struct Codec<OffsetFetchResponse>;
template struct Codec<ConsumerProtocolAssignment>;
template struct Codec<ConsumerProtocolSubscription>;
template struct Codec<GroupMetadataKey>;
template struct Codec<GroupMetadataValue>;
template struct Codec<OffsetCommitKey>;
template struct Codec<OffsetCommitValue>;

}  // namespace millrace::kafka
