#include "kafka/codec_impl.h"
#include "kafka/messages/api_versions.h"
#include "kafka/messages/describe_cluster.h"
#include "kafka/messages/describe_log_dirs.h"
#include "kafka/messages/describe_quorum.h"
#include "kafka/messages/describe_topic_partitions.h"
#include "kafka/messages/find_coordinator.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/unregister_broker.h"

namespace millrace::kafka {

template struct Codec<ApiVersionsRequest>;
template struct Codec<ApiVersionsResponse>;
template struct Codec<MetadataRequest>;
template struct Codec<MetadataResponse>;
template struct Codec<DescribeClusterRequest>;
template struct Codec<DescribeClusterResponse>;
template struct Codec<DescribeTopicPartitionsRequest>;
template struct Codec<DescribeTopicPartitionsResponse>;
template struct Codec<FindCoordinatorRequest>;
template struct Codec<FindCoordinatorResponse>;
template struct Codec<DescribeLogDirsRequest>;
template struct Codec<DescribeLogDirsResponse>;
template struct Codec<DescribeQuorumRequest>;
template struct Codec<DescribeQuorumResponse>;
template struct Codec<UnregisterBrokerRequest>;
template struct Codec<UnregisterBrokerResponse>;

}  // namespace millrace::kafka
