"""Key compaction by the real program, seen by Kafka's consumers: the newest value of each key stays, tombstones go."""

import asyncio
import random
import subprocess
import time

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

# Objects come and are merged and cleaned every moment.
HASTY = ("--roles", "broker", "--set", "object.interval.ms=200", "--set", "log.cleaner.backoff.ms=100")
FEW = ("--set", "object.merge.fan.in=4")


async def create(server, topic, **configs):
    admin = AIOKafkaAdminClient(bootstrap_servers=server.kafka)
    await admin.start()
    named = {name.replace("_", "."): str(value) for name, value in configs.items()}
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs={"cleanup.policy": "compact", **named})])
    await admin.close()


async def produce(server, topic, rows, codec=None):
    producer = AIOKafkaProducer(
        bootstrap_servers=server.kafka, enable_idempotence=True, compression_type=codec, linger_ms=2
    )
    await producer.start()
    for start in range(0, len(rows), 200):
        sent = [await producer.send(topic, value, key=key) for key, value in rows[start : start + 200]]
        await asyncio.gather(*sent)
    await producer.stop()


async def read(server, topic):
    """All records as (offset, key, value), and the end offset, which the consumer must reach."""
    consumer = AIOKafkaConsumer(bootstrap_servers=server.kafka)
    await consumer.start()
    place = TopicPartition(topic, 0)
    consumer.assign([place])
    await consumer.seek_to_beginning(place)
    end = (await consumer.end_offsets([place]))[place]
    found, deadline = [], time.monotonic() + 30
    while await consumer.position(place) < end:
        assert time.monotonic() < deadline, f"stuck at {await consumer.position(place)} of {end}"
        for batch in (await consumer.getmany(timeout_ms=300)).values():
            found += [(record.offset, record.key, record.value) for record in batch]
    await consumer.stop()
    return found, end


async def read_when(server, topic, holds, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while True:
        found, end = await read(server, topic)
        if holds(found):
            return found, end
        assert time.monotonic() < deadline, f"after {timeout_s} s there is {found[-40:]}"
        await asyncio.sleep(0.3)


def check_order(found):
    offsets = [offset for offset, _, _ in found]
    assert offsets == sorted(set(offsets))


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_the_newest_of_each_key_stays_and_tombstones_go(make_millrace, kafka_tools, codec):
    server = make_millrace(*HASTY, *FEW)
    keys = [b"key-%d" % n for n in range(20)]
    rows = [(key, b"%d of %s" % (n, key)) for n in range(50) for key in keys]
    rows += [(key, None) for key in keys[:5]]
    expected = {key: b"49 of " + key for key in keys[5:]}

    async def scenario():
        await create(server, "t", min_cleanable_dirty_ratio=0.01, delete_retention_ms=2500)
        await produce(server, "t", rows, codec)
        stamped = await read_when(server, "t", lambda found: len(found) <= 20)
        clean = await read_when(server, "t", lambda found: len(found) <= 15)
        return stamped, clean

    (stamped, _), (found, end) = asyncio.run(scenario())
    assert [key for _, key, value in stamped if value is None] == keys[:5], "tombstones stay for delete.retention.ms"
    assert {key: value for _, key, value in found} == expected
    check_order(found)
    assert end == len(rows)
    assert server.metric("millrace_storage_cleanings_total") >= 2
    assert server.metric("millrace_storage_cleaned_records_total") == len(rows) - 15

    # librdkafka reaches the end, over gaps and the emptied last batch.
    kcat = ["kcat", "-b", server.kafka, "-C", "-t", "t", "-e", "-q", "-o", "beginning", "-f", "%o %k=%s\n"]
    told = subprocess.run(kcat, capture_output=True, text=True, timeout=30, check=True).stdout.splitlines()
    assert told == [f"{offset} {key.decode()}={value.decode()}" for offset, key, value in found]
    # So does the Java consumer: what is produced afterwards arrives behind.
    asyncio.run(produce(server, "t", [(b"last", b"one")]))
    arguments = ("--topic", "t", "--from-beginning", "--max-messages", "16", "--formatter-property", "print.key=true")
    got = kafka_tools.run("console-consumer", "--bootstrap-server", server.kafka, *arguments).stdout.splitlines()
    assert got[:16] == [f"{key.decode()}\t{value.decode()}" for _, key, value in found] + ["last\tone"]

    server.restart()
    again, end = asyncio.run(read(server, "t"))
    assert again[:15] == found and end == len(rows) + 1
    assert server.stop() == 0, server.log()[-4000:]


@pytest.mark.timeout(200)
def test_killed_while_it_cleans_and_merges(make_millrace):
    server = make_millrace(*HASTY, *FEW, "--set", "log.cleaner.dedupe.buffer.size=2048")
    newest, acknowledged = {}, []

    async def write(stop_after):
        producer = AIOKafkaProducer(bootstrap_servers=server.kafka, enable_idempotence=True, request_timeout_ms=20000)
        await producer.start()
        deadline, number = time.monotonic() + stop_after, 0
        while time.monotonic() < deadline:
            sent = []
            for _ in range(30):
                number += 1
                row = (b"k%d" % random.randrange(100), b"%d" % number)
                sent.append((row, await producer.send("t", row[1], key=row[0])))
            for (key, value), result in sent:
                newest[key] = (value, (await result).offset)
                acknowledged.append(newest[key])
        await producer.stop()

    async def scenario():
        await create(server, "t", min_cleanable_dirty_ratio=0)
        writing = asyncio.create_task(write(18))
        for _ in range(12):
            await asyncio.sleep(0.5 + random.random())
            await asyncio.to_thread(server.restart, hard=True)
        await asyncio.wait_for(writing, 90)
        clean = await read_when(server, "t", lambda found: len(found) <= len(newest))
        await asyncio.to_thread(server.restart, hard=True)
        return clean, await read(server, "t")

    (found, end), (again, end_again) = asyncio.run(scenario())
    assert len(acknowledged) > 300, "hardly anything was written between the kills"
    assert {key: (value, offset) for offset, key, value in found} == newest
    check_order(found)
    assert (again, end_again) == (found, end)


def test_committed_offsets_survive_the_compaction_of_their_topic(make_millrace):
    server = make_millrace(*HASTY, *FEW, "--set", "offsets.topic.num.partitions=2")

    async def commit(count):
        consumer = AIOKafkaConsumer(bootstrap_servers=server.kafka, group_id="g", enable_auto_commit=False)
        await consumer.start()
        consumer.assign([TopicPartition("t", 0)])
        for offset in range(1, count + 1):
            await consumer.commit({TopicPartition("t", 0): offset})
        await consumer.stop()

    async def committed():
        consumer = AIOKafkaConsumer(bootstrap_servers=server.kafka, group_id="g", enable_auto_commit=False)
        await consumer.start()
        offset = await consumer.committed(TopicPartition("t", 0))
        await consumer.stop()
        return offset

    async def scenario():
        await create(server, "t")
        await produce(server, "t", [(b"k", b"v")] * 300)
        await commit(300)

    asyncio.run(scenario())
    deadline = time.monotonic() + 30
    while server.metric("millrace_storage_cleaned_records_total") < 290:
        assert time.monotonic() < deadline, server.log()[-3000:]
        time.sleep(0.3)
    server.restart()
    assert asyncio.run(committed()) == 300
    assert server.stop() == 0, server.log()[-4000:]
