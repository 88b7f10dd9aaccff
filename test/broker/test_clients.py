"""Kafka clients against Millrace: kcat, kafka-python, aiokafka and a librdkafka program."""

import asyncio
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest
from harness import wait_until

HERE = Path(__file__).parent
NO_DELAY = ("--set", "group.initial.rebalance.delay.ms=0")


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    from harness import Millrace

    server = Millrace(tmp_path_factory.mktemp("millrace"), "--roles", "broker", *NO_DELAY).start()
    yield server
    assert server.stop() == 0, server.log()[-4000:]
    assert "response_not_encodable" not in server.log()


def kcat(broker, *arguments, input=None, timeout_s=30):
    done = subprocess.run(
        ["kcat", "-b", broker.kafka, *arguments], input=input, capture_output=True, text=True, timeout=timeout_s
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_kcat_reads_what_it_wrote_in_every_compression(broker, codec):
    topic = f"kcat-{codec}"
    lines = [f"line {i}" for i in range(2000)]
    kcat(broker, "-P", "-t", topic, "-z", codec, "-X", "enable.idempotence=true", input="\n".join(lines))
    assert kcat(broker, "-C", "-t", topic, "-e", "-q").splitlines() == lines


def test_kcat_group_goes_on_where_it_committed(broker):
    kcat(broker, "-P", "-t", "kcat-group", input="\n".join(map(str, range(100))))
    args = ("-G", "kcat-g", "-q", "-e", "-X", "auto.offset.reset=earliest", "kcat-group")
    assert len(kcat(broker, *args).splitlines()) == 100
    kcat(broker, "-P", "-t", "kcat-group", input="more")
    assert kcat(broker, *args).splitlines() == ["more"]


def test_kcat_finds_offsets_by_time(broker):
    kcat(broker, "-P", "-t", "kcat-time", input="a\nb")
    assert kcat(broker, "-Q", "-t", "kcat-time:0:0").split() == ["kcat-time", "[0]", "offset", "0"]
    assert kcat(broker, "-Q", "-t", "kcat-time:0:99999999999999").split()[-1] == "-1"


def test_a_librdkafka_program_writes_reads_and_commits(broker, tmp_path):
    program = tmp_path / "roundtrip"
    subprocess.run(
        ["cc", "-O1", "-Wall", "-o", program, HERE / "rdkafka_roundtrip.c", "-lrdkafka"], check=True, timeout=60
    )
    done = subprocess.run([program, broker.kafka, "rdkafka-topic", "5000"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5000 records back in order" in done.stdout


def test_kafka_python_producer_consumer_and_admin(broker):
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import NewTopic

    admin = KafkaAdminClient(bootstrap_servers=broker.kafka)
    admin.create_topics([NewTopic("kp", 3, 1)])
    producer = KafkaProducer(bootstrap_servers=broker.kafka, acks="all", compression_type="zstd")
    sent = [producer.send("kp", key=b"k%d" % i, value=b"v%d" % i, headers=[("h", b"x")]) for i in range(300)]
    producer.flush(30)
    positions = {(m.partition, m.offset) for m in (s.get(10) for s in sent)}
    assert len(positions) == 300
    producer.close()

    consumer = KafkaConsumer(
        "kp",
        bootstrap_servers=broker.kafka,
        group_id="kp-g",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        consumer_timeout_ms=20000,
    )
    got = {}
    for message in consumer:
        got[(message.partition, message.offset)] = message.value
        assert message.headers == [("h", b"x")]
        if len(got) == 300:
            break
    assert set(got) == positions
    consumer.commit()
    assert sum(consumer.committed(TopicPartition("kp", p)) for p in range(3)) == 300
    assert sum(consumer.end_offsets([TopicPartition("kp", p) for p in range(3)]).values()) == 300
    consumer.close()
    admin.delete_topics(["kp"])
    wait_until(lambda: "kp" not in admin.list_topics(), 10, "the topic's end")
    admin.close()


def test_aiokafka_two_members_share_a_topic(broker):
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    async def scenario():
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.kafka)
        await admin.start()
        await admin.create_topics([NewTopic("aio", 4, 1)])
        producer = AIOKafkaProducer(bootstrap_servers=broker.kafka, enable_idempotence=True)
        await producer.start()

        def member():
            return AIOKafkaConsumer(
                "aio", bootstrap_servers=broker.kafka, group_id="aio-g", auto_offset_reset="earliest"
            )

        members = [member(), member()]
        for each in members:
            await each.start()
        for _ in range(200):
            if all(len(each.assignment()) == 2 for each in members):
                break
            for each in members:
                await each.getmany(timeout_ms=50)
        assert [len(each.assignment()) for each in members] == [2, 2]
        for i in range(400):
            await producer.send("aio", b"%d" % i, partition=i % 4)
        await producer.flush()
        got = []
        for _ in range(200):
            for each in members:
                for batch in (await each.getmany(timeout_ms=50)).values():
                    got += [int(record.value) for record in batch]
            if len(got) >= 400:
                break
        assert sorted(got) == list(range(400))
        for each in members:
            await each.stop()
        await producer.stop()
        await admin.close()

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_an_idle_consumer_asks_about_twice_a_second(broker):
    """min_bytes and max_wait are kept, with incremental fetch sessions too (KIP-227)."""
    from kafka import KafkaConsumer

    kcat(broker, "-P", "-t", "idle", input="one")
    consumer = KafkaConsumer(
        "idle", bootstrap_servers=broker.kafka, auto_offset_reset="earliest", fetch_max_wait_ms=500
    )
    wait_until(lambda: consumer.poll(1000), 10, "the record")
    before = fetches(broker)
    assert consumer.poll(3000) == {}
    assert 2 <= fetches(broker) - before <= 12
    consumer.close()


def fetches(broker):
    text = urllib.request.urlopen(f"{broker.http}/metrics").read().decode()
    return float(re.search(r'^millrace_broker_requests_total\{api="Fetch"\} (\S+)', text, re.M).group(1))
