"""Every version of every advertised API, written and read by kafka-python's codec (made from Kafka's own schemas).

Each request names something that exists and something that does not; the answer must decode to its last byte.
"""

import importlib
import pkgutil
import socket
import struct

import pytest
from harness import Millrace

TOPIC, GROUP = "versions", "versions-group"
APIS = {
    0: ("Produce", 3, 13),
    1: ("Fetch", 4, 18),
    2: ("ListOffsets", 1, 11),
    3: ("Metadata", 0, 13),
    8: ("OffsetCommit", 2, 10),
    9: ("OffsetFetch", 1, 10),
    10: ("FindCoordinator", 0, 6),
    11: ("JoinGroup", 0, 9),
    12: ("Heartbeat", 0, 4),
    13: ("LeaveGroup", 0, 5),
    14: ("SyncGroup", 0, 5),
    15: ("DescribeGroups", 0, 6),
    16: ("ListGroups", 0, 5),
    18: ("ApiVersions", 0, 4),
    19: ("CreateTopics", 2, 7),
    20: ("DeleteTopics", 1, 6),
    21: ("DeleteRecords", 0, 2),
    22: ("InitProducerId", 0, 5),
    23: ("OffsetForLeaderEpoch", 2, 4),
    32: ("DescribeConfigs", 1, 4),
    35: ("DescribeLogDirs", 1, 5),
    37: ("CreatePartitions", 0, 3),
    42: ("DeleteGroups", 0, 2),
    43: ("ElectLeaders", 0, 2),
    44: ("IncrementalAlterConfigs", 0, 1),
    45: ("AlterPartitionReassignments", 0, 1),
    46: ("ListPartitionReassignments", 0, 0),
    55: ("DescribeQuorum", 0, 2),
    60: ("DescribeCluster", 0, 2),
    75: ("DescribeTopicPartitions", 0, 0),
}
ADVERTISED = {key: high for key, (_, _, high) in APIS.items()} | {64: 0}  # kafka-python knows no UnregisterBroker
CASES = [(name, version) for name, low, high in APIS.values() for version in range(low, high + 1)]


def classes():
    import kafka.protocol as package

    found = {}
    for module in pkgutil.walk_packages(package.__path__, "kafka.protocol."):
        if ".old" in module.name or ".schemas" in module.name or "stubs" in module.name:
            continue
        for key, value in vars(importlib.import_module(module.name)).items():
            if key.endswith(("Request", "Response")) and hasattr(value, "API_KEY"):
                found[key] = value
    return found


@pytest.fixture(scope="module")
def messages():
    return classes()


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    server = Millrace(
        tmp_path_factory.mktemp("millrace"), "--roles", "broker", "--set", "group.initial.rebalance.delay.ms=0"
    ).start()
    yield server
    assert server.stop() == 0, server.log()[-4000:]
    assert "response_not_encodable" not in server.log()


def named(kind, version, since, topic_id, name=TOPIC, **fields):
    """A topic by its name, or by its id from version `since` on."""
    return kind(topic_id=topic_id, **fields) if version >= since else kind(name=name, **fields)


def topic_of(q, name, kind, **fields):
    return lambda v, _: {"topics": [getattr(q[name], kind)(name=TOPIC, **fields)]}


def data_requests(q):
    def produce(v, topic_id):
        topic = q["Produce"].TopicProduceData
        data = [topic.PartitionProduceData(index=i, records=batch()) for i in (0, 7)]
        return {"acks": -1, "timeout_ms": 1000, "topic_data": [named(topic, v, 13, topic_id, partition_data=data)]}

    def fetch(v, topic_id):
        topic = q["Fetch"].FetchTopic
        wanted = [topic.FetchPartition(partition=i, fetch_offset=0, partition_max_bytes=1 << 20) for i in (0, 7)]
        who = {"topic_id": topic_id} if v >= 13 else {"topic": TOPIC}
        return {"max_wait_ms": 100, "min_bytes": 1, "topics": [topic(partitions=wanted, **who)]}

    def list_offsets(v, _):
        topic = q["ListOffsets"].ListOffsetsTopic
        wanted = [topic.ListOffsetsPartition(partition_index=i, timestamp=t) for i, t in ((0, -1), (7, -2), (1, 0))]
        return {"replica_id": -1, "topics": [topic(name=TOPIC, partitions=wanted)]}

    def metadata(v, _):
        topic = q["Metadata"].MetadataRequestTopic
        return {"topics": [topic(name=TOPIC), topic(name="bad name!")], "allow_auto_topic_creation": False}

    epoch = q["OffsetForLeaderEpoch"].OffsetForLeaderTopic
    records = q["DeleteRecords"].DeleteRecordsTopic
    return {
        "Produce": produce,
        "Fetch": fetch,
        "ListOffsets": list_offsets,
        "Metadata": metadata,
        "OffsetForLeaderEpoch": lambda v, _: {
            "topics": [
                epoch(
                    topic=TOPIC,
                    partitions=[epoch.OffsetForLeaderPartition(partition=i, leader_epoch=0) for i in (0, 7)],
                )
            ]
        },
        "InitProducerId": lambda v, _: {"transactional_id": None, "transaction_timeout_ms": 1000},
        "ApiVersions": lambda v, _: {"client_software_name": "test", "client_software_version": "1"} if v >= 3 else {},
        "DeleteRecords": topic_of(
            q,
            "DeleteRecords",
            "DeleteRecordsTopic",
            partitions=[records.DeleteRecordsPartition(partition_index=i, offset=0) for i in (0, 7)],
        ),
    }


def group_requests(q):
    def offset_commit(v, topic_id):
        topic = q["OffsetCommit"].OffsetCommitRequestTopic
        wanted = [
            topic.OffsetCommitRequestPartition(partition_index=i, committed_offset=3, committed_metadata="m")
            for i in (0, 7)
        ]
        return {"group_id": "simple", "topics": [named(topic, v, 10, topic_id, partitions=wanted)]}

    def offset_fetch(v, topic_id):
        if v < 8:
            topic = q["OffsetFetch"].OffsetFetchRequestTopic
            return {"group_id": "simple", "topics": [topic(name=TOPIC, partition_indexes=[0, 1])]}
        group = q["OffsetFetch"].OffsetFetchRequestGroup
        topics = [named(group.OffsetFetchRequestTopics, v, 10, topic_id, partition_indexes=[0, 1])]
        return {"groups": [group(group_id="simple", topics=topics), group(group_id="none", topics=None)]}

    def join(v, _):
        protocol = q["JoinGroup"].JoinGroupRequestProtocol(name="range", metadata=b"m")
        return {
            "group_id": f"join-{v}",
            "session_timeout_ms": 10000,
            "rebalance_timeout_ms": 10000,
            "protocol_type": "consumer",
            "protocols": [protocol],
        }

    member = q["LeaveGroup"].MemberIdentity
    return {
        "OffsetCommit": offset_commit,
        "OffsetFetch": offset_fetch,
        "FindCoordinator": lambda v, _: {"coordinator_keys": [GROUP]} if v >= 4 else {"key": GROUP},
        "JoinGroup": join,
        "Heartbeat": lambda v, _: {"group_id": GROUP, "generation_id": 1, "member_id": "nobody"},
        "LeaveGroup": lambda v, _: {
            "group_id": GROUP,
            **({"members": [member(member_id="x")]} if v >= 3 else {"member_id": "x"}),
        },
        "SyncGroup": lambda v, _: {"group_id": GROUP, "generation_id": 1, "member_id": "nobody"},
        "DescribeGroups": lambda v, _: {"groups": [GROUP, "simple"]},
        "ListGroups": lambda v, _: {},
        "DeleteGroups": lambda v, _: {"groups_names": ["absent"]},
    }


def admin_requests(q):
    def delete_topics(v, _):
        if v < 6:
            return {"topic_names": ["absent"], "timeout_ms": 1000}
        return {"topics": [q["DeleteTopics"].DeleteTopicState(name="absent")], "timeout_ms": 1000}

    def create_topics(v, _):
        topic = q["CreateTopics"].CreatableTopic
        return {
            "topics": [
                topic(name=TOPIC, num_partitions=1, replication_factor=1),
                topic(name=f"new-{v}", num_partitions=2, replication_factor=1),
            ],
            "timeout_ms": 1000,
        }

    def configs(v, _):
        resource = q["DescribeConfigs"].DescribeConfigsResource
        named_resources = ((2, TOPIC), (2, "absent"), (4, "1"), (77, "x"))
        return {
            "resources": [
                resource(resource_type=t, resource_name=n, configuration_keys=None) for t, n in named_resources
            ]
        }

    def alter(v, _):
        resource = q["IncrementalAlterConfigs"].AlterConfigsResource
        change = resource.AlterableConfig(name="retention.ms", config_operation=0, value="1000000")
        return {"resources": [resource(resource_type=t, resource_name=TOPIC, configs=[change]) for t in (2, 4)]}

    cursor = q["DescribeTopicPartitions"].TopicRequest
    return {
        "CreateTopics": create_topics,
        "DeleteTopics": delete_topics,
        "DescribeConfigs": configs,
        "CreatePartitions": topic_of(q, "CreatePartitions", "CreatePartitionsTopic", count=1, assignments=None),
        "IncrementalAlterConfigs": alter,
        "DescribeCluster": lambda v, _: {},
        "DescribeTopicPartitions": lambda v, _: {
            "topics": [cursor(name=TOPIC), cursor(name="absent")],
            "response_partition_limit": 1,
        },
    }


def placement_requests(q):
    moved = q["AlterPartitionReassignments"].ReassignableTopic
    wanted = {0: [1], 1: None, 7: [1]}
    some = [moved.ReassignablePartition(partition_index=i, replicas=r) for i, r in wanted.items()]
    listed = q["ListPartitionReassignments"].ListPartitionReassignmentsTopics
    quorum = q["DescribeQuorum"].TopicData
    return {
        "AlterPartitionReassignments": lambda v, _: {"topics": [moved(name=TOPIC, partitions=some)]},
        "ListPartitionReassignments": lambda v, _: {"topics": [listed(name=TOPIC, partition_indexes=[0, 7])]},
        "ElectLeaders": lambda v, _: {
            "topic_partitions": [q["ElectLeaders"].TopicPartitions(topic=TOPIC, partitions=[0, 7])]
        },
        "DescribeQuorum": lambda v, _: {
            "topics": [
                quorum(topic_name=name, partitions=[quorum.PartitionData(partition_index=0)])
                for name in ("__cluster_metadata", TOPIC)
            ]
        },
        "DescribeLogDirs": lambda v, _: {
            "topics": [q["DescribeLogDirs"].DescribableLogDirTopic(topic=TOPIC, partitions=[0, 7])]
        },
    }


def requests(messages):
    """For each API a function of the version and the topic's id that gives the fields of its request."""
    q = {name: messages[f"{name}Request"] for name, _, _ in APIS.values()}
    return {**data_requests(q), **group_requests(q), **admin_requests(q), **placement_requests(q)}


def batch():
    """One uncompressed batch of one record, as a client builds it."""
    from kafka.record.default_records import DefaultRecordBatchBuilder

    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 16)
    builder.append(0, 1_700_000_000_000, b"key", b"value", [])
    return bytes(builder.build())


class Wire:
    def __init__(self, broker, messages):
        self.connection = socket.create_connection(broker.host_port("kafka"), timeout=15)
        self.messages = messages

    def call(self, name, version, **fields):
        request = self.messages[f"{name}Request"](version=version, **fields)
        request.with_header(correlation_id=5, client_id="versions")
        self.connection.sendall(request.encode(version=version, header=True, framed=True))
        body = self.receive(struct.unpack(">i", self.receive(4))[0])
        kind = self.messages[f"{name}Response"]
        assert body[:4] == struct.pack(">i", 5)
        # Flexible versions have tagged fields in their header, but for ApiVersions.
        flexible = kind.flexible_version_q(version)
        start = 5 if flexible and name != "ApiVersions" else 4
        # The one way to learn where kafka-python stopped reading.
        decode = kind._struct.compiled_decode_from(version, compact=flexible, tagged=flexible, data_class=kind[None])
        decoded, end = decode(memoryview(body), start)
        assert end == len(body), "bytes are left over"
        return decoded

    def receive(self, size):
        out = b""
        while len(out) < size:
            part = self.connection.recv(size - len(out))
            assert part, "the connection was closed"
            out += part
        return out


@pytest.fixture(scope="module")
def wire(broker, messages):
    wire = Wire(broker, messages)
    topic = messages["CreateTopicsRequest"].CreatableTopic
    created = wire.call(
        "CreateTopics", 7, topics=[topic(name=TOPIC, num_partitions=2, replication_factor=1)], timeout_ms=5000
    )
    assert created.topics[0].error_code == 0
    wire.topic_id = created.topics[0].topic_id
    wire.call("FindCoordinator", 0, key=GROUP)
    yield wire
    wire.connection.close()


@pytest.mark.parametrize("name,version", CASES, ids=lambda value: str(value))
def test_each_version_answers_what_kafka_schemas_read(wire, messages, name, version):
    answer = wire.call(name, version, **requests(messages)[name](version, wire.topic_id))
    check = CHECKS.get(name)
    if check:
        check(answer, version)


def codes(partitions):
    return [partition.error_code for partition in partitions]


def check_produce(answer, version):
    assert codes(answer.responses[0].partition_responses) == [0, 3]
    assert answer.responses[0].partition_responses[0].base_offset >= 0


def check_fetch(answer, version):
    first, second = answer.responses[0].partitions
    assert (first.error_code, second.error_code) == (0, 3)
    assert first.high_watermark > 0 and len(first.records) > 61


def check_list_offsets(answer, version):
    latest, missing, by_time = answer.topics[0].partitions
    assert codes(answer.topics[0].partitions) == [0, 3, 0]
    assert latest.offset > 0 and by_time.offset == -1


def check_offset_fetch(answer, version):
    topic = (answer.groups[0] if version >= 8 else answer).topics[0]
    assert [p.committed_offset for p in topic.partitions] == [3, -1]
    assert topic.partitions[0].metadata == "m"


def check_commit(answer, version):
    assert codes(answer.topics[0].partitions) == [0, 3]


def check_join(answer, version):
    assert answer.error_code == (79 if version >= 4 else 0) and answer.member_id


def check_configs(answer, version):
    topic, absent, broker, odd = answer.results
    assert codes(answer.results) == [0, 3, 0, 42]
    values = {config.name: config.value for config in topic.configs}
    assert len(values) >= 30 and values["cleanup.policy"] == "delete"
    assert {c.name: c.value for c in broker.configs}["group.initial.rebalance.delay.ms"] == "0"


def check_versions(answer, version):
    assert {k.api_key: k.max_version for k in answer.api_keys} == ADVERTISED
    if version >= 3:
        assert "transaction.version" not in {f.name for f in answer.finalized_features}


def check_describe(answer, version):
    assert [t.error_code for t in answer.topics] == [3, 0] and len(answer.topics[1].partitions) == 1
    assert (answer.next_cursor.topic_name, answer.next_cursor.partition_index) == (TOPIC, 1)


def check_reassigned(answer, version):
    # As asked already, nothing to call off, and no such partition.
    assert codes(answer.responses[0].partitions) == [0, 85, 3]


def check_quorum(answer, version):
    log, other = (topic.partitions[0] for topic in answer.topics)
    assert (log.error_code, other.error_code) == (0, 3)
    assert log.leader_id == 1 and log.leader_epoch >= 1 and log.high_watermark > 0
    assert [(voter.replica_id, voter.log_end_offset) for voter in log.current_voters] == [(1, log.high_watermark)]
    if version >= 2:
        assert [node.node_id for node in answer.nodes] == [1]


def check_log_dirs(answer, version):
    (place,) = answer.results
    assert place.log_dir.startswith("file:///") and place.log_dir.endswith("/bucket")
    (topic,) = place.topics
    assert [(p.partition_index, p.offset_lag, p.is_future_key) for p in topic.partitions] == [(0, 0, False)]
    if version >= 4:
        assert (place.total_bytes, place.usable_bytes) == (-1, -1)


CHECKS = {
    "AlterPartitionReassignments": check_reassigned,
    "ListPartitionReassignments": lambda a, v: (a.error_code, a.topics) == (0, []) or pytest.fail(str(a)),
    "ElectLeaders": lambda a, v: codes(a.replica_election_results[0].partition_result) == [84, 3] or pytest.fail(str(a)),
    "DescribeQuorum": check_quorum,
    "DescribeLogDirs": check_log_dirs,
    "Produce": check_produce,
    "Fetch": check_fetch,
    "ListOffsets": check_list_offsets,
    "Metadata": lambda a, v: [t.error_code for t in a.topics] == [0, 17] or pytest.fail(str(a)),
    "OffsetCommit": check_commit,
    "OffsetFetch": check_offset_fetch,
    "JoinGroup": check_join,
    "Heartbeat": lambda a, v: a.error_code == 25 or pytest.fail(str(a)),
    "SyncGroup": lambda a, v: a.error_code == 25 or pytest.fail(str(a)),
    "CreateTopics": lambda a, v: codes(a.topics) == [36, 0] or pytest.fail(str(a)),
    "DeleteTopics": lambda a, v: codes(a.responses) == [3] or pytest.fail(str(a)),
    "DeleteRecords": lambda a, v: codes(a.topics[0].partitions) == [0, 3] or pytest.fail(str(a)),
    "InitProducerId": lambda a, v: (a.error_code == 0 and a.producer_id >= 0) or pytest.fail(str(a)),
    "OffsetForLeaderEpoch": lambda a, v: codes(a.topics[0].partitions) == [0, 3] or pytest.fail(str(a)),
    "DescribeConfigs": check_configs,
    "CreatePartitions": lambda a, v: codes(a.results) == [37] or pytest.fail(str(a)),
    "DeleteGroups": lambda a, v: codes(a.results) == [69] or pytest.fail(str(a)),
    "IncrementalAlterConfigs": lambda a, v: codes(a.responses) == [0, 42] or pytest.fail(str(a)),
    "DescribeCluster": lambda a, v: len(a.brokers) == 1 or pytest.fail(str(a)),
    "DescribeTopicPartitions": check_describe,
    "ApiVersions": check_versions,
}
