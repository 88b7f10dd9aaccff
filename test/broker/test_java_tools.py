"""Kafka's own command-line tools against Millrace."""

import json

import pytest
from harness import Millrace


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    server = Millrace(
        tmp_path_factory.mktemp("millrace"), "--roles", "broker", "--set", "group.initial.rebalance.delay.ms=0"
    ).start()
    yield server
    assert server.stop() == 0, server.log()[-4000:]
    assert "response_not_encodable" not in server.log()


@pytest.fixture
def tool(broker, kafka_tools):
    def run(name, *arguments, **options):
        return kafka_tools.run(name, "--bootstrap-server", broker.kafka, *arguments, **options)

    return run


def test_topics(tool):
    tool("topics", "--create", "--topic", "t-a", "--partitions", "3", "--config", "retention.ms=60000")
    assert "PartitionCount: 3" in tool("topics", "--describe", "--topic", "t-a").stdout
    tool("topics", "--alter", "--topic", "t-a", "--partitions", "5")
    assert "PartitionCount: 5" in tool("topics", "--describe", "--topic", "t-a").stdout
    again = tool("topics", "--create", "--topic", "t-a", check=False)
    assert again.returncode != 0 and "already exists" in again.stdout + again.stderr
    tool("topics", "--delete", "--topic", "t-a")
    assert "t-a" not in tool("topics", "--list").stdout.split()


def test_configs(tool):
    tool("topics", "--create", "--topic", "t-c")
    entity = ("--entity-type", "topics", "--entity-name", "t-c")
    tool("configs", *entity, "--alter", "--add-config", "cleanup.policy=compact,max.message.bytes=2000")
    shown = tool("configs", *entity, "--describe").stdout
    assert "cleanup.policy=compact" in shown and "DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000" in shown
    tool("configs", *entity, "--alter", "--delete-config", "max.message.bytes")
    assert "max.message.bytes" not in tool("configs", *entity, "--describe").stdout
    wrong = tool("configs", *entity, "--alter", "--add-config", "cleanup.policy=shred", check=False)
    assert wrong.returncode != 0 and "cleanup.policy" in wrong.stdout + wrong.stderr
    brokers = tool("configs", "--entity-type", "brokers", "--entity-name", "1", "--describe", "--all").stdout
    assert "message.max.bytes=1048588" in brokers


def test_console_producer_consumer_and_groups(tool):
    tool("console-producer", "--topic", "t-p", "--reader-property", "parse.key=true", input="k1\tv1\nk2\tv2\n")
    consume = ("--topic", "t-p", "--from-beginning", "--group", "t-g", "--max-messages", "2")
    got = tool("console-consumer", *consume, "--formatter-property", "print.key=true")
    assert sorted(got.stdout.split("\n")[:2]) == ["k1\tv1", "k2\tv2"]
    assert "t-g" in tool("consumer-groups", "--list").stdout
    rows = tool("consumer-groups", "--describe", "--group", "t-g").stdout
    assert [word for line in rows.splitlines() if line.startswith("t-g") for word in line.split()[3:6]] == [
        "2",
        "2",
        "0",
    ]
    reset = ("--group", "t-g", "--topic", "t-p", "--reset-offsets", "--to-earliest", "--execute")
    tool("consumer-groups", *reset)
    rows = tool("consumer-groups", "--describe", "--group", "t-g").stdout
    assert [word for line in rows.splitlines() if line.startswith("t-g") for word in line.split()[3:6]] == [
        "0",
        "2",
        "2",
    ]
    assert "Empty" in tool("consumer-groups", "--describe", "--group", "t-g", "--state").stdout
    tool("consumer-groups", "--delete", "--group", "t-g")
    assert "t-g" not in tool("consumer-groups", "--list").stdout


def test_perf_tools(broker, kafka_tools, tool):
    load = ("--topic", "t-perf", "--num-records", "50000", "--record-size", "1000", "--throughput", "-1")
    to_all = ("--command-property", f"bootstrap.servers={broker.kafka}", "acks=all")
    assert "50000 records sent" in kafka_tools.run("producer-perf-test", *load, *to_all).stdout
    got = tool("consumer-perf-test", "--topic", "t-perf", "--num-records", "50000", "--timeout", "30000").stdout
    assert got.splitlines()[1].split(", ")[4] == "50000"


def test_verifiable_producer_and_consumer(broker, tool):
    sent = tool("verifiable-producer", "--topic", "t-v", "--max-messages", "1000", "--acks", "-1").stdout
    acked = [json.loads(line) for line in sent.splitlines() if "producer_send_success" in line]
    assert len(acked) == 1000
    got = tool(
        "verifiable-consumer", "--topic", "t-v", "--group-id", "t-vg", "--max-messages", "1000", "--verbose"
    ).stdout
    values = [json.loads(line)["value"] for line in got.splitlines() if '"record_data"' in line]
    assert sorted(map(int, values)) == list(range(1000))


def test_get_offsets_and_delete_records(tool, tmp_path):
    tool("console-producer", "--topic", "t-d", input="".join(f"{i}\n" for i in range(10)))
    assert tool("get-offsets", "--topic", "t-d").stdout.strip() == "t-d:0:10"
    wanted = tmp_path / "delete.json"
    wanted.write_text(json.dumps({"version": 1, "partitions": [{"topic": "t-d", "partition": 0, "offset": 4}]}))
    assert "low_watermark: 4" in tool("delete-records", "--offset-json-file", wanted).stdout
    assert tool("get-offsets", "--topic", "t-d", "--time", "-2").stdout.strip() == "t-d:0:4"
