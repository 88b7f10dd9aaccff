"""Administering three brokers on one real S3 bucket: Kafka's own tools, and `millrace cluster`."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import threading
import time

import pytest
from broker.test_versions import Wire, batch, classes
from harness import MILLRACE, WAL, Millrace, free_port, wait_until
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from load import Load, create_topic, keys_in, produce, read_all
from object.conftest import s3  # noqa: F401  the server with the bucket that the brokers share

OUT_OF_RANGE, LEADER_NOT_AVAILABLE, NOT_LEADER, NOT_COORDINATOR = 1, 5, 6, 16


class Cluster:
    """Some brokers on one bucket, and what an operator has at hand."""

    def __init__(self, directory, server, tools):
        self.directory, self.server, self.tools = directory, server, tools
        self.url = server.url(server.bucket("admin"), "log")
        self.brokers = {}

    def add(self, node_id, *arguments):
        broker = Millrace(
            self.directory / f"broker-{node_id}",
            "--roles",
            "broker",
            "--node-id",
            node_id,
            "--set",
            "group.initial.rebalance.delay.ms=0",
            "--set",
            "auto.leader.rebalance.enable=false",  # what is moved stays there
            "--set",
            "object.interval.ms=3000",
            *arguments,
            bucket=self.url,
            env=self.server.credentials,
        )
        self.brokers[node_id] = broker.start()
        return broker

    @property
    def bootstrap(self):
        return ",".join(broker.kafka for broker in self.brokers.values() if broker.process)

    def run(self, *arguments, bootstrap=None, timeout_s=60):
        command = [MILLRACE, "cluster", *arguments, "--bootstrap-server", bootstrap or self.bootstrap]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=timeout_s)

    def ok(self, *arguments, **options):
        done = self.run(*arguments, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *arguments, code=2, **options):
        done = self.run(*arguments, **options)
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stderr.startswith("millrace: ") and done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def status(self):
        return json.loads(self.ok("status", "--json"))

    def tool(self, name, *arguments, **options):
        return self.tools.run(name, "--bootstrap-server", self.bootstrap, *arguments, **options)

    def topic(self, name, partitions=3, records=0):
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap.split(","))
        admin.create_topics([NewTopic(name, partitions, 1)])
        admin.close()
        self.produce(name, records)
        return name

    def produce(self, topic, records):
        if records:
            produce(self.bootstrap.split(","), topic, range(records))

    def count(self, topic, expected):
        return len(set(keys_in(self.bootstrap.split(","), topic, expected, patience_s=15)))

    def leaders(self, topic):
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap.split(","))
        partitions = admin.describe_topics([topic])[0]["partitions"]
        admin.close()
        return {each["partition_index"]: each["leader_id"] for each in partitions}

    @contextlib.contextmanager
    def frozen(self, node_id, broker=None):
        pid = (broker or self.brokers[node_id]).pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def plan(self, name, moves):
        path = self.directory / f"{name}.json"
        partitions = [{"topic": t, "partition": p, "replicas": r} for (t, p), r in moves.items()]
        path.write_text(json.dumps({"version": 1, "partitions": partitions}))
        return path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, s3, kafka_tools):  # noqa: F811
    made = Cluster(tmp_path_factory.mktemp("admin"), s3, kafka_tools)
    for node_id in (1, 2, 3):
        made.add(node_id)
    yield made
    for broker in made.brokers.values():
        broker.kill9()
        assert "response_not_encodable" not in broker.log()


@pytest.fixture(scope="module")
def messages():
    return classes()


def other_than(node_id):
    return next(each for each in (1, 2, 3) if each != node_id)


# --------------------------------------------------------------------------------------- Kafka's tools


def test_reassign_partitions_moves_them_with_their_records(cluster):
    cluster.topic("reassigned", 3, records=300)
    before = cluster.leaders("reassigned")
    target = {p: other_than(leader) for p, leader in before.items()}
    plan = cluster.plan("reassign", {("reassigned", p): [to] for p, to in target.items()})
    done = cluster.tool("reassign-partitions", "--reassignment-json-file", plan, "--execute").stdout
    assert "Successfully started partition reassignments" in done
    wait_until(lambda: cluster.leaders("reassigned") == target, 10, "the new leaders")
    done = cluster.tool("reassign-partitions", "--reassignment-json-file", plan, "--verify").stdout
    assert done.count("is completed") == 3, done
    shown = cluster.tool("topics", "--describe", "--topic", "reassigned").stdout
    for partition, leader in target.items():
        line = next(line for line in shown.splitlines() if f"Partition: {partition}\t" in line)
        assert f"Leader: {leader}\tReplicas: {leader}\tIsr: {leader}" in line, line
    assert cluster.count("reassigned", 300) == 300
    assert "No partition reassignments found" in cluster.tool("reassign-partitions", "--list").stdout
    cancelled = cluster.tool("reassign-partitions", "--reassignment-json-file", plan, "--cancel", check=False)
    assert "None of the specified partition reassignments are active" in cancelled.stdout, cancelled


@pytest.mark.parametrize(
    "replicas,reason",
    [([9], "broker 9, but no such broker is registered"), ([1, 2], "2 replicas were asked for, but a partition has one")],
)
def test_reassign_partitions_says_what_is_wrong(cluster, messages, replicas, reason):
    name = f"wrong-{len(replicas)}"
    cluster.topic(name, 1)
    wire = Wire(cluster.brokers[1], messages)
    topic = messages["AlterPartitionReassignmentsRequest"].ReassignableTopic
    asked = topic(name=name, partitions=[topic.ReassignablePartition(partition_index=0, replicas=replicas)])
    (answer,) = wire.call("AlterPartitionReassignments", 1, topics=[asked]).responses[0].partitions
    assert answer.error_code == 39 and reason in answer.error_message
    plan = cluster.plan(name, {(name, 0): replicas})
    done = cluster.tool("reassign-partitions", "--reassignment-json-file", plan, "--execute", check=False)
    assert reason.split(",")[0].split(" ")[-1] in done.stdout + done.stderr


def test_a_move_that_has_to_wait_is_listed_and_called_off(cluster, messages):
    """The leader is held for a moment: it cannot release the partition, so the move stays under way."""
    cluster.topic("held", 3, records=30)
    controller = cluster.status()["controller"]
    partition, leader = next((p, lead) for p, lead in cluster.leaders("held").items() if lead != controller)
    target = next(n for n in (1, 2, 3) if n not in (leader,))
    wire = Wire(cluster.brokers[controller], messages)
    topic = messages["AlterPartitionReassignmentsRequest"].ReassignableTopic

    def alter(replicas):
        asked = topic(name="held", partitions=[topic.ReassignablePartition(partition_index=partition, replicas=replicas)])
        return wire.call("AlterPartitionReassignments", 1, topics=[asked]).responses[0].partitions[0]

    with cluster.frozen(leader):
        assert alter([target]).error_code == 0
        (listed,) = wire.call("ListPartitionReassignments", 0, topics=None).topics
        (move,) = listed.partitions
        assert (listed.name, move.partition_index) == ("held", partition)
        assert (move.replicas, move.adding_replicas, move.removing_replicas) == ([target, leader], [target], [leader])
        assert alter(None).error_code == 0
        assert wire.call("ListPartitionReassignments", 0, topics=None).topics == []
        again = alter(None)
        assert again.error_code == 85 and again.error_message
    time.sleep(0.5)
    assert cluster.leaders("held")[partition] == leader
    assert cluster.count("held", 30) == 30


def test_leader_election_is_not_needed(cluster):
    cluster.topic("elected", 2)
    for kind in ("preferred", "unclean"):
        done = cluster.tool("leader-election", "--election-type", kind, "--topic", "elected", "--partition", 0)
        assert "Valid replica already elected for partitions elected-0" in done.stdout, done.stdout
    cluster.tool("leader-election", "--election-type", "preferred", "--all-topic-partitions")
    wrong = cluster.tool(
        "leader-election", "--election-type", "preferred", "--topic", "elected", "--partition", 7, check=False
    )
    assert wrong.returncode != 0 and "UnknownTopicOrPartition" in wrong.stdout + wrong.stderr


def test_metadata_quorum(cluster):
    status = cluster.status()
    shown = cluster.tool("metadata-quorum", "describe", "--status").stdout
    fields = dict(line.split(":", 1) for line in shown.splitlines() if ":" in line)
    assert fields["ClusterId"].strip() == status["cluster_id"]
    assert int(fields["LeaderId"]) == status["controller"]
    assert int(fields["LeaderEpoch"]) == status["controller_epoch"]
    assert int(fields["HighWatermark"]) >= status["metadata_applied"]
    assert {voter["id"] for voter in json.loads(fields["CurrentVoters"])} == {1, 2, 3}
    rows = [line.split() for line in cluster.tool("metadata-quorum", "describe", "--replication").stdout.splitlines()]
    rows = {int(row[0]): row for row in rows if row and row[0].isdigit()}
    assert sorted(rows) == [1, 2, 3]
    # Each is known to have read the log, whichever broker was asked.
    assert all(int(row[2]) >= status["metadata_applied"] for row in rows.values()), rows
    assert rows[status["controller"]][-1] == "Leader"


def test_log_dirs(cluster):
    cluster.topic("sized", 2, records=200)
    shown = cluster.tool("log-dirs", "--describe", "--topic-list", "sized").stdout
    report = json.loads(next(line for line in shown.splitlines() if line.startswith("{")))
    sizes = {}
    for broker in report["brokers"]:
        (place,) = broker["logDirs"]
        assert place["error"] is None and place["logDir"] == "s3://admin/log"
        for partition in place["partitions"]:
            assert (partition["offsetLag"], partition["isFuture"]) == (0, False)
            sizes[partition["partition"]] = (broker["broker"], partition["size"])
    leaders = cluster.leaders("sized")
    assert {name: leader for name, (leader, _) in sizes.items()} == {f"sized-{p}": lead for p, lead in leaders.items()}
    assert all(size > 100 for _, size in sizes.values())


# ------------------------------------------------------------------------------------- millrace cluster


def test_status(cluster):
    cluster.topic("shown", 3)
    status = cluster.status()
    assert status["by_controller"] and status["leaderless"] == status["moves"] == 0
    assert [(b["id"], b["state"], b["wal"]) for b in status["brokers"]] == [(n, "live", WAL) for n in (1, 2, 3)]
    assert sum(b["partitions_led"] for b in status["brokers"]) == status["partitions"] >= 3
    assert all(0 <= b["heard_ms_ago"] < 2000 and b["metadata_applied"] > 0 for b in status["brokers"])
    for broker in cluster.brokers.values():
        text = cluster.ok("status", bootstrap=broker.kafka)
        assert f"controller {status['controller']} (epoch" in text and "as broker" not in text
        assert all(b.kafka in text for b in cluster.brokers.values()) and text.count(" live ") == 3
        assert "moves under way: 0" in text and "partitions without a leader: 0" in text


def test_move_one_and_move_many(cluster):
    cluster.topic("cli", 6, records=120)
    leader = cluster.leaders("cli")[0]
    target = other_than(leader)
    done = cluster.ok("move", "cli-0", target, "--wait")
    assert done.splitlines()[-1] == f"broker {target} leads it"
    assert cluster.leaders("cli")[0] == target
    done = cluster.ok("move", "--topic", "cli", "--from", target, "--to", leader, "--wait")
    assert done.splitlines()[-1].startswith(f"broker {leader} leads")
    assert target not in cluster.leaders("cli").values()
    assert "nothing to move" in cluster.ok("move", "--topic", "cli", "--from", target, "--to", leader)
    assert cluster.count("cli", 120) == 120


def test_drain_and_undo(cluster):
    cluster.topic("drained", 6, records=60)
    node = next(n for n in (1, 2, 3) if n != cluster.status()["controller"])
    done = cluster.ok("drain", node, "--wait")
    assert done.splitlines()[0].startswith(f"broker {node} is being drained of ")
    assert done.splitlines()[-1].startswith(f"broker {node} leads no partition")
    seen = {b["id"]: b for b in cluster.status()["brokers"]}[node]
    assert (seen["partitions_led"], seen["state"]) == (0, "draining")
    cluster.topic("elsewhere", 6)
    assert node not in cluster.leaders("elsewhere").values()
    assert "draining" in cluster.refused("move", "drained-0", node)
    assert "may lead partitions again" in cluster.ok("drain", node, "--undo")
    assert "is not draining" in cluster.ok("drain", node, "--undo")
    cluster.ok("move", "drained-0", node, "--wait")
    assert cluster.leaders("drained")[0] == node
    assert cluster.count("drained", 60) == 60


@pytest.mark.timeout(240)
def test_moves_and_drains_under_load_go_unnoticed(cluster):
    """Everything in a circle, then each broker is emptied once: no error, no loss, no duplicate, order kept."""
    partitions = 6

    async def story(load):
        for source, target in ((1, 2), (2, 3), (3, 1), (1, 3), (3, 2), (2, 1)) * 2:
            flags = ("--topic", "loaded", "--from", source, "--to", target)
            await asyncio.to_thread(cluster.ok, "move", *flags, "--wait")
            await load.progress()
        for node in (1, 2, 3):
            await asyncio.to_thread(cluster.ok, "drain", node, "--wait")
            await load.progress()
            await asyncio.to_thread(cluster.ok, "drain", node, "--undo")

    async def run():
        addresses = cluster.bootstrap.split(",")
        await create_topic(addresses, "loaded", partitions)
        load = Load(addresses, "loaded", partitions, burst=20)
        running = asyncio.create_task(load.run())
        await load.progress()
        await story(load)
        load.stopping = True
        await asyncio.wait_for(running, 60)
        load.check(await asyncio.wait_for(read_all(addresses, "loaded", partitions), 60))
        assert not load.unknown, list(load.unknown.items())[:3]
        assert len(load.acknowledged) > 1000

    asyncio.run(run())


def test_wrong_inputs_are_told_apart(cluster):
    cluster.topic("inputs", 1)
    assert "there is no broker 9; brokers are 1, 2, 3" in cluster.refused("drain", 9)
    assert "there is no broker 9; brokers are 1, 2, 3" in cluster.refused("move", "inputs-0", 9)
    assert "there is no broker 9" in cluster.refused("move", "--from", 9, "--to", 1)
    assert "there is no partition inputs-5" in cluster.refused("move", "inputs-5", 1)
    assert "there is no partition absent-0" in cluster.refused("move", "absent-0", 1)
    assert "there is no topic 'absent'" in cluster.refused("move", "--topic", "absent", "--from", 1, "--to", 2)
    assert "is not TOPIC-PARTITION" in cluster.refused("move", "inputs", 1)
    assert "both needed" in cluster.refused("move", "--from", 1)
    assert "either" in cluster.refused("move", "inputs-0", 1, "--from", 1, "--to", 2)
    assert "is not HOST:PORT" in cluster.refused("status", bootstrap="nonsense")
    for verb in ("status", "drain", "move"):
        assert "--bootstrap-server" in cluster.ok(verb, "--help")


def test_what_answers_is_no_millrace(cluster, kafka_tools, tmp_path):
    nobody = f"127.0.0.1:{free_port()}"
    assert f"no broker to ask: connecting to {nobody}" in cluster.refused("status", code=1, bootstrap=nobody)
    web = cluster.brokers[1].addresses["http"]
    assert f"{web} does not answer as a Kafka broker does" in cluster.refused("status", code=1, bootstrap=web)
    # One that answers is enough.
    assert "controller" in cluster.ok("status", bootstrap=f"{nobody},{web},{cluster.brokers[3].kafka}")
    with kafka_tools.broker(tmp_path / "kafka") as kafka:
        assert "is a Kafka, but no Millrace" in cluster.refused("status", code=1, bootstrap=kafka)


# ------------------------------------------------------------------------------------ the wrong broker


def test_a_broker_that_does_not_lead_names_the_one_that_does(cluster, messages):
    """KIP-951: Produce from version 10, Fetch from version 16."""
    cluster.topic("pointed", 1)
    leader = cluster.leaders("pointed")[0]
    wire = Wire(cluster.brokers[other_than(leader)], messages)
    described = wire.call("Metadata", 12, topics=[messages["MetadataRequest"].MetadataRequestTopic(name="pointed")])
    topic_id = described.topics[0].topic_id
    host, port = cluster.brokers[leader].host_port("kafka")
    kind = messages["ProduceRequest"].TopicProduceData
    data = [kind.PartitionProduceData(index=0, records=batch())]
    for version in (9, 10, 13):
        who = {"topic_id": topic_id} if version >= 13 else {"name": "pointed"}
        answer = wire.call("Produce", version, acks=-1, timeout_ms=1000, topic_data=[kind(partition_data=data, **who)])
        partition = answer.responses[0].partition_responses[0]
        assert partition.error_code == NOT_LEADER
        if version >= 10:
            assert partition.current_leader.leader_id == leader and partition.current_leader.leader_epoch >= 0
            assert [(n.node_id, n.host, n.port) for n in answer.node_endpoints] == [(leader, host, port)]
    kind = messages["FetchRequest"].FetchTopic
    wanted = [kind.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1000)]
    for version in (12, 16, 18):
        who = {"topic_id": topic_id} if version >= 13 else {"topic": "pointed"}
        answer = wire.call("Fetch", version, max_wait_ms=10, min_bytes=1, topics=[kind(partitions=wanted, **who)])
        partition = answer.responses[0].partitions[0]
        assert partition.error_code == NOT_LEADER
        if version >= 16:
            assert partition.current_leader.leader_id == leader
            assert [(n.node_id, n.host, n.port) for n in answer.node_endpoints] == [(leader, host, port)]


def test_beyond_the_end_is_out_of_range_at_the_leader_that_proved_it(cluster, messages):
    cluster.topic("beyond", 1, records=5)
    wire = Wire(cluster.brokers[cluster.leaders("beyond")[0]], messages)
    kind = messages["FetchRequest"].FetchTopic
    for offset, code in ((5, 0), (6, OUT_OF_RANGE), (1_000_000, OUT_OF_RANGE)):
        wanted = [kind.FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1000)]
        answer = wire.call("Fetch", 12, max_wait_ms=10, min_bytes=1, topics=[kind(topic="beyond", partitions=wanted)])
        assert answer.responses[0].partitions[0].error_code == code


# ------------------------------------------------------------------------------------ brokers that go


def commit(wire, messages, group, offset):
    kind = messages["OffsetCommitRequest"].OffsetCommitRequestTopic
    partition = kind.OffsetCommitRequestPartition(partition_index=0, committed_offset=offset, committed_metadata="")
    answer = wire.call("OffsetCommit", 8, group_id=group, topics=[kind(name="zombie", partitions=[partition])])
    return answer.topics[0].partitions[0].error_code


def leader_of(wire, messages, topic):
    asked = [messages["MetadataRequest"].MetadataRequestTopic(name=topic)]
    return wire.call("Metadata", 9, topics=asked).topics[0].partitions[0].leader_id


def coordinator(wire, group):
    answer = wire.call("FindCoordinator", 0, key=group)
    return answer.node_id if answer.error_code == 0 else None


@pytest.mark.timeout(120)
def test_a_broker_fenced_in_its_sleep_says_nothing_of_the_newest(cluster, messages):
    """Rule 19: what it knows is old, so neither the end of the log nor a committed offset may come from it."""
    cluster.topic("zombie", 1, records=5)
    zombie = next(n for n in (1, 2, 3) if n != cluster.status()["controller"])
    cluster.ok("move", "zombie-0", zombie, "--wait")
    asked = {name: Wire(cluster.brokers[zombie], messages) for name in ("fetch", "latest", "committed")}
    wait_until(lambda: coordinator(asked["committed"], "z-0"), 20, "the coordinator's topic")
    group = next(f"z-{i}" for i in range(100) if coordinator(asked["committed"], f"z-{i}") == zombie)
    wait_until(lambda: commit(asked["committed"], messages, group, 3) == 0, 20, "a commit")
    broker = cluster.brokers[zombie]
    topic = messages["FetchRequest"].FetchTopic
    beyond = topic(topic="zombie", partitions=[topic.FetchPartition(partition=0, fetch_offset=7, partition_max_bytes=99)])
    topic = messages["ListOffsetsRequest"].ListOffsetsTopic
    latest = topic(name="zombie", partitions=[topic.ListOffsetsPartition(partition_index=0, timestamp=-1)])
    topic = messages["OffsetFetchRequest"].OffsetFetchRequestTopic
    of_group = topic(name="zombie", partition_indexes=[0])
    calls = {
        "fetch": lambda w: w.call("Fetch", 11, max_wait_ms=10, min_bytes=1, topics=[beyond]).responses[0].partitions[0],
        "latest": lambda w: w.call("ListOffsets", 5, replica_id=-1, topics=[latest]).topics[0].partitions[0],
        "committed": lambda w: w.call("OffsetFetch", 5, group_id=group, topics=[of_group]),
    }
    answers = {}

    def ask(name):
        with contextlib.suppress(OSError, AssertionError):  # it closed the connection instead
            answers[name] = calls[name](asked[name])

    del cluster.brokers[zombie]
    try:
        with cluster.frozen(zombie, broker):
            other = Wire(next(iter(cluster.brokers.values())), messages)
            if WAL == "bucket":
                wait_until(lambda: leader_of(other, messages, "zombie") not in (zombie, -1), 40, "another leader")
                cluster.produce("zombie", 20)
                new = wait_until(lambda: coordinator(other, group), 20, "another coordinator")
                other = Wire(cluster.brokers[new], messages)
                wait_until(lambda: commit(other, messages, group, 9) == 0, 20, "a commit there")
            else:  # what it led waits for its disk (rule 21), but it cannot know that and must not speak for it
                wait_until(lambda: leader_of(other, messages, "zombie") == -1, 40, "the fence")
            threads = [threading.Thread(target=ask, args=(name,)) for name in calls]
            for thread in threads:
                thread.start()
            time.sleep(0.3)
        for thread in threads:
            thread.join()
    finally:
        cluster.brokers[zombie] = broker
    if "fetch" in answers:
        assert answers["fetch"].error_code == NOT_LEADER
    if "latest" in answers:
        assert answers["latest"].error_code == NOT_LEADER and answers["latest"].offset == -1
    if "committed" in answers:
        assert answers["committed"].error_code == NOT_COORDINATOR
    live = lambda: all(b["state"] == "live" for b in cluster.status()["brokers"])  # noqa: E731
    wait_until(live, 40, "the broker to come back as a new incarnation")
    assert "server.rejoining" in broker.log()


def test_a_broker_that_is_gone_is_fenced_offline_and_unregistered(cluster, messages):
    gone = cluster.add(4, "--wal", "bucket")  # what is on a disk has no other leader: see the next test
    assert "is live: stop it first" in unregister(cluster, 4, check=False)
    cluster.topic("survives", 2)
    cluster.ok("move", "survives-0", 4, "--wait")
    cluster.produce("survives", 100)
    gone.kill9()

    def fenced():
        seen = {b["id"]: b for b in cluster.status()["brokers"]}[4]
        return seen["state"] == "fenced" and cluster.status()["leaderless"] == 0

    wait_until(fenced, 30, "broker 4 to be fenced and recovered")
    wire = Wire(cluster.brokers[1], messages)
    assert [b.node_id for b in wire.call("Metadata", 12, topics=[]).brokers] == [1, 2, 3]
    assert [b.broker_id for b in wire.call("DescribeCluster", 2, include_fenced_brokers=False).brokers] == [1, 2, 3]
    everybody = wire.call("DescribeCluster", 2, include_fenced_brokers=True).brokers
    assert [(b.broker_id, b.is_fenced) for b in everybody] == [(1, False), (2, False), (3, False), (4, True)]
    assert "broker 4 is fenced" in cluster.refused("drain", 4)
    cluster.topic("stays", 1)
    assert "broker 4 is fenced" in cluster.refused("move", "stays-0", 4)
    assert cluster.leaders("survives")[0] in (1, 2, 3) and cluster.count("survives", 100) == 100

    wait_until(lambda: "no longer registered" in unregister(cluster, 4, check=False), 90, "its records in objects")
    assert [b["id"] for b in cluster.status()["brokers"]] == [1, 2, 3]
    assert "not currently registered" in unregister(cluster, 4, check=False)


def test_partitions_of_a_disk_that_is_away_are_offline_until_it_is_back(cluster, messages):
    """Nobody else can recover a WAL on a disk (rule 21), so what its broker led has no leader, and everybody says so."""
    broker = cluster.add(5, "--wal", f"disk:{cluster.directory}/wal-5", "--set", "object.interval.ms=3600000")
    cluster.topic("offline", 2)
    for partition, leader in ((0, 5), (1, 1)):
        cluster.ok("move", f"offline-{partition}", leader, "--wait")
    cluster.produce("offline", 50)
    broker.kill9()
    gone = lambda: {b["id"]: b for b in cluster.status()["brokers"]}[5]["state"] == "recovering"  # noqa: E731
    wait_until(gone, 30, "broker 5 to be fenced")
    status = cluster.status()
    assert status["leaderless_partitions"] == [{"topic": "offline", "partition": 0, "last_leader": 5}]
    assert "offline-0, led last by broker 5" in cluster.ok("status")

    wire = Wire(cluster.brokers[2], messages)
    asked = [messages["MetadataRequest"].MetadataRequestTopic(name="offline")]
    for version in (5, 9, 12):
        there, led = (
            sorted(wire.call("Metadata", version, topics=asked).topics[0].partitions, key=lambda p: p.partition_index)
        )
        assert (there.error_code, there.leader_id) == (LEADER_NOT_AVAILABLE, -1)
        assert (there.replica_nodes, there.offline_replicas) == ([5], [5])
        assert (led.error_code, led.leader_id, led.offline_replicas) == (0, 1, [])
    asked = [messages["DescribeTopicPartitionsRequest"].TopicRequest(name="offline")]
    answer = wire.call("DescribeTopicPartitions", 0, topics=asked, response_partition_limit=100)
    assert [(p.error_code, p.leader_id, p.offline_replicas) for p in answer.topics[0].partitions] == [
        (LEADER_NOT_AVAILABLE, -1, [5]),
        (0, 1, []),
    ]
    shown = cluster.tool("topics", "--describe", "--unavailable-partitions").stdout
    assert "Topic: offline\tPartition: 0\tLeader: none" in shown and "Partition: 1" not in shown
    for kind, code in ((0, 80), (1, 83)):
        answer = wire.call("ElectLeaders", 2, election_type=kind, topic_partitions=None, timeout_ms=1000)
        (result,) = answer.replica_election_results
        assert [(p.partition_id, p.error_code) for p in result.partition_result] == [(0, code)]
    assert "in no data object yet" in unregister(cluster, 5, check=False)

    broker.start()
    wait_until(lambda: cluster.status()["leaderless"] == 0, 30, "its partition to have a leader again")
    assert cluster.count("offline", 50) == 50


def unregister(cluster, node_id, check=True):
    done = cluster.tools.run(
        "cluster", "unregister", "--bootstrap-server", cluster.bootstrap, "--id", node_id, check=check
    )
    return done.stdout + done.stderr
