"""More than fits: a store that does not answer, consumers that do not read. Memory stays within its budgets, everybody
is told to wait or given less, and when it is over everything acknowledged is there once."""

import asyncio
import contextlib
import resource
import socket
import struct
import threading
import time

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from harness import WAL, wait_until
from load import Load, create_topic, read_all

MIB = 1 << 20
FLOODS = 30


def resident_mib(pid):
    with open(f"/proc/{pid}/statm") as pages:
        return int(pages.read().split()[1]) * resource.getpagesize() / MIB


@contextlib.contextmanager
def watched(pid):
    """Yields a list whose last item is the greatest resident size in MiB; it grows while the block runs."""
    greatest = [resident_mib(pid)]
    done = False

    def watch():
        while not done:
            greatest.append(max(greatest[-1], resident_mib(pid)))
            time.sleep(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield greatest
    finally:
        done = True
        thread.join()


def fetch_request(topic, offset, bytes_max):
    """Fetch version 4 of partition 0, as one frame."""
    body = struct.pack(">iiiibi", -1, 500, 1, bytes_max, 0, 1)
    body += struct.pack(">h", len(topic)) + topic.encode() + struct.pack(">iiqi", 1, 0, offset, bytes_max)
    head = struct.pack(">hhih", 1, 4, 7, 4) + b"test"
    return struct.pack(">i", len(head) + len(body)) + head + body


async def fill(address, topic, mebibytes):
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all", linger_ms=5, max_batch_size=MIB // 2)
    await producer.start()
    pending = []
    for number in range(mebibytes * 8):
        pending.append(await producer.send(topic, b"%08d" % number + bytes(128 * 1024 - 8), partition=0))
    for each in pending:
        await each
    await producer.stop()
    return len(pending)


async def read_to(address, topic, count):
    consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    found = 0
    while found < count:
        record = await asyncio.wait_for(consumer.getone(), 30)
        assert record.value[:8] == b"%08d" % found
        found += 1
    await consumer.stop()


@pytest.mark.parametrize("backlog", ["memory", "bucket"])
def test_consumers_that_do_not_read_cannot_take_the_memory(make_millrace, backlog):
    """60 connections ask for 16 MiB each, eight times over, and read nothing: without a budget that is 7.5 GiB."""
    settings = ["--set", "queued.max.response.bytes=33554432", "--set", "cache.bytes=16777216"]
    settings += ["--set", "wal.tail.bytes=16777216", "--set", "object.bytes=16777216"] if backlog == "bucket" else []
    server = make_millrace("--roles", "broker", *settings)
    asyncio.run(create_topic(server.kafka, "deep", 1))
    count = asyncio.run(fill(server.kafka, "deep", 96))
    before = resident_mib(server.pid)
    with watched(server.pid) as greatest, contextlib.ExitStack() as stack:
        for number in range(60):
            connection = stack.enter_context(socket.create_connection(server.host_port("kafka")))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            offset = number * count // 60
            connection.sendall(b"".join(fetch_request("deep", offset, 16 * MIB) for _ in range(8)))
        wait_until(lambda: server.metric("millrace_broker_short_fetches_total") > 0, 20, "an answer cut short")
        # Whoever reads gets everything meanwhile.
        asyncio.run(read_to(server.kafka, "deep", count))
        assert server.metric("millrace_broker_reply_bytes") < 33554432 + 60 * MIB
    assert greatest[-1] < before + 256, f"resident {before:.0f} MiB, at most {greatest[-1]:.0f} MiB"
    wait_until(lambda: server.metric("millrace_broker_reply_bytes") == 0, 10, "memory given back")
    assert server.stop() == 0


async def flood(address, load):
    """Half a megabyte in flight for each of 4 partitions, again and again, beside the records that are counted."""
    producer = AIOKafkaProducer(bootstrap_servers=address, acks=1, max_batch_size=MIB // 2, linger_ms=5)
    await producer.start()
    while not load.stopping:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(producer.send("flood", bytes(128 * 1024)), 1)
    with contextlib.suppress(Exception):
        await asyncio.wait_for(producer.stop(), 10)


@pytest.mark.timeout(120)
def test_producers_wait_for_a_store_that_does_not_answer(make_millrace, s3):
    """A store frozen for 8 s under full load: bounded memory, then everything acknowledged is there once. A WAL on a disk
    needs the store only every 6 s, for its lease: 8 s beyond that."""
    unacked = 16777216 if WAL == "bucket" else 2097152  # acks are quicker there, so requests are smaller
    budgets = ["--set", f"wal.unacked.bytes={unacked}", "--set", "queued.max.request.bytes=33554432"]
    # With a WAL on a disk it takes in for 6 s what it cannot merge.
    budgets += ["--set", "wal.tail.bytes=67108864", "--set", "object.bytes=33554432"]
    bucket = s3.url(s3.bucket("overload"))
    server = make_millrace("--roles", "broker", *budgets, bucket=bucket, env=s3.credentials)
    partitions = 4

    def freeze():
        with s3.frozen(8 if WAL == "bucket" else 14):
            pass

    async def scenario():
        await create_topic(server.kafka, "push", partitions)
        await create_topic(server.kafka, "flood", 4)
        load = Load(server.kafka, "push", partitions, burst=500)
        running = [asyncio.create_task(load.run())]
        running += [asyncio.create_task(flood(server.kafka, load)) for _ in range(FLOODS)]
        await load.progress()
        with watched(server.pid) as greatest:
            await asyncio.to_thread(freeze)
            await load.progress()
        load.stopping = True
        await asyncio.wait_for(asyncio.gather(*running), 90)
        return load, greatest[-1], await read_all(server.kafka, "push", partitions)

    before = resident_mib(server.pid)
    load, greatest, found = asyncio.run(scenario())
    load.check(found)
    refused = server.metric("millrace_storage_overloaded_total")
    waited = server.metric("millrace_broker_admission_waits_total")
    assert refused + waited > 0, "no producer was told to wait"
    assert greatest < before + 512, f"resident {before:.0f} MiB at first, at most {greatest:.0f} MiB"
    assert server.stop() == 0
