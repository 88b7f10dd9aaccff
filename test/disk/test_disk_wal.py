"""A broker with its WAL on a disk (--wal disk:PATH): kill -9, full disks, two processes, leaving the disk, losing it."""

import asyncio
import contextlib
import os
import shutil
import time
import urllib.request

import pytest
from kafka import KafkaConsumer, KafkaProducer

from harness import Millrace, small_disk, wait_until
from load import Load, create_topic, read_all

ROUNDS = int(os.environ.get("KILLS", "8"))
RECORDS = 3000
PARTITIONS = 3
# So that every test sees segments filled and used again, and slots merged into objects.
SMALL = ("--set", "wal.segment.bytes=1048576", "--set", "object.interval.ms=700")


def broker(path, *arguments, wal="disk", bucket=None):
    wal_arguments = ("--wal", f"disk:{path}/wal") if wal == "disk" else ()
    return Millrace(path / "millrace", "--roles", "broker", *wal_arguments, *arguments, bucket=bucket)


@contextlib.contextmanager
def running(server):
    try:
        yield server.start()
    finally:
        server.kill9()


def produce(server, topic, keys, size=100):
    producer = KafkaProducer(bootstrap_servers=server.kafka, acks="all", enable_idempotence=True, linger_ms=2)
    sent = [producer.send(topic, key=b"%d" % key, value=b"x" * size) for key in keys]
    producer.flush(60)
    producer.close()
    assert all(s.succeeded() for s in sent)


def keys_in(server, topic, count):
    consumer = KafkaConsumer(
        topic, bootstrap_servers=server.kafka, auto_offset_reset="earliest", consumer_timeout_ms=5000, group_id=None
    )
    keys = []
    for record in consumer:
        keys.append(int(record.key))
        if len(keys) == count:
            break
    consumer.close()
    return keys


def refusal(server):
    """The one error of a start that is refused."""
    with pytest.raises(AssertionError, match="before it was ready") as told:
        server.start()
    server.kill9()
    # Once as the harness quotes the log, and once more as it repeats it.
    lines = {line for line in str(told.value).splitlines() if line.startswith("millrace: ")}
    assert len(lines) == 1, told.value
    return lines.pop()


def metric(server, name):
    with urllib.request.urlopen(server.http + "/metrics", timeout=5) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


def slots_in_bucket(path):
    """Data slots in the bucket's directory: all but those that open a WAL."""
    files = (path / "millrace" / "bucket" / "wal").rglob("*")
    return [f for f in files if f.is_file() and f.name not in ("disk", "0" * 20)]


@pytest.mark.timeout(280)
def test_every_acknowledged_record_is_there_once_after_kills(tmp_path):
    with running(broker(tmp_path, *SMALL)) as server:

        async def scenario():
            await create_topic(server.kafka, "kill9", PARTITIONS)
            load = Load(server.kafka, "kill9", PARTITIONS)
            loading = asyncio.create_task(load.run())
            per_round = []
            for _ in range(ROUNDS):
                before, deadline = len(load.acknowledged), time.monotonic() + 20
                await asyncio.sleep(1)
                while len(load.acknowledged) == before and time.monotonic() < deadline:
                    await asyncio.sleep(0.05)
                per_round.append(len(load.acknowledged) - before)
                await asyncio.to_thread(server.restart, hard=True)
            load.stopping = True
            await asyncio.wait_for(loading, 90)
            return load, per_round, await read_all(server.kafka, "kill9", PARTITIONS)

        load, per_round, found = asyncio.run(scenario())
        assert all(count > 0 for count in per_round), f"no progress in a round: {per_round}"
        load.check(found)
        assert not slots_in_bucket(tmp_path), "data slots are in the bucket"


def test_slots_are_drained_to_the_bucket_and_segments_used_again(tmp_path):
    with running(broker(tmp_path, *SMALL)) as server:
        for round_ in range(3):
            produce(server, "t", range(round_ * RECORDS, (round_ + 1) * RECORDS), size=1000)
            wait_until(lambda: metric(server, "millrace_disk_needed_bytes") == 0, 20, "the drain")
        assert metric(server, "millrace_disk_segments_reused_total") > 0
        assert metric(server, "millrace_disk_bytes_total") > 3 * RECORDS * 1000
        assert metric(server, "millrace_disk_segment_bytes") < 3 * RECORDS * 1000
        assert not slots_in_bucket(tmp_path)
        assert server.stop() == 0
        server.start()
        assert keys_in(server, "t", 3 * RECORDS) == list(range(3 * RECORDS))


def test_a_second_process_on_the_directory_is_told_who_holds_it(tmp_path):
    with running(broker(tmp_path)) as server:
        other = Millrace(tmp_path / "other", "--roles", "broker", "--wal", f"disk:{tmp_path}/wal")
        message = refusal(other)
        assert f"in use by process {server.pid}" in message and "directory of its own" in message
        assert not (tmp_path / "other" / "bucket").exists(), "the bucket was touched"
        produce(server, "t", range(10))


@pytest.mark.parametrize(
    "wal, says",
    [("disk", "it is bucket or disk:PATH"), ("disc:/x", "it is bucket or disk:PATH"), ("disk:", "needs the path of a directory")],
)
def test_a_wrong_wal_is_one_clear_error(tmp_path, wal, says):
    server = Millrace(tmp_path, "--roles", "broker", "--wal", wal)
    message = refusal(server)
    assert says in message and "--wal" in message
    assert not (tmp_path / "bucket").exists(), "the bucket was touched"


def test_a_file_in_the_way_is_one_clear_error(tmp_path):
    (tmp_path / "wal").write_text("not a directory")
    assert f"{tmp_path}/wal" in refusal(broker(tmp_path))


def test_a_wal_on_a_disk_is_not_taken_for_an_empty_one(tmp_path):
    """Slots on a disk that a start does not hold: it is refused with their place; with the disk nothing is lost."""
    with running(broker(tmp_path)) as server:
        produce(server, "t", range(RECORDS))
    for other in (broker(tmp_path, wal="bucket"), broker(tmp_path, "--wal", f"disk:{tmp_path}/another", wal="bucket")):
        message = refusal(other)
        assert f"{tmp_path}/wal" in message and "--wal disk:PATH" in message and "wal.drain" in message
    # With the disk to drain beside the bucket everything is there, and the disk can go once it is empty.
    with running(broker(tmp_path, "--set", f"wal.drain={tmp_path}/wal", *SMALL, wal="bucket")) as server:
        produce(server, "t", range(RECORDS, 2 * RECORDS))
        assert keys_in(server, "t", 2 * RECORDS) == list(range(2 * RECORDS))
        wait_until(lambda: metric(server, "millrace_disk_needed_bytes") == 0, 20, "the drain")
    shutil.rmtree(tmp_path / "wal")
    with running(broker(tmp_path, wal="bucket")) as server:
        assert keys_in(server, "t", 2 * RECORDS) == list(range(2 * RECORDS))


def test_a_disk_of_another_bucket_is_refused(tmp_path):
    with running(broker(tmp_path)) as server:
        produce(server, "t", range(10))
    message = refusal(broker(tmp_path, bucket=f"file://{tmp_path}/another"))
    assert "holds records of another bucket" in message and f"{tmp_path}/wal" in message
    with running(broker(tmp_path)) as server:
        assert keys_in(server, "t", 10) == list(range(10))


def test_a_lost_disk_costs_what_was_not_drained_and_nothing_else(tmp_path):
    with running(broker(tmp_path, *SMALL)) as server:
        produce(server, "t", range(RECORDS))
        wait_until(lambda: metric(server, "millrace_disk_needed_bytes") == 0, 20, "the drain")
    shutil.rmtree(tmp_path / "wal")
    message = refusal(broker(tmp_path))
    lost = message.rpartition("wal.lost=")[2].split()[0]
    with running(broker(tmp_path, "--set", f"wal.lost={lost}")) as server:
        assert keys_in(server, "t", RECORDS) == list(range(RECORDS))
        produce(server, "t", range(RECORDS, RECORDS + 10))
        # Given up once, it is not asked for again.
    with running(broker(tmp_path)) as server:
        assert keys_in(server, "t", RECORDS + 10) == list(range(RECORDS + 10))


def test_a_full_disk_is_told_and_nothing_is_lost_once_there_is_room(tmp_path):
    with small_disk(tmp_path / "wal", 6) as resize:
        with running(broker(tmp_path, "--set", "wal.segment.bytes=1048576")) as server:
            producer = KafkaProducer(
                bootstrap_servers=server.kafka, acks="all", enable_idempotence=True, delivery_timeout_ms=60_000,
                request_timeout_ms=20_000, linger_ms=5,
            )
            sent = [producer.send("t", key=b"%d" % i, value=b"x" * 1000) for i in range(12_000)]
            wait_until(lambda: "wal.put_retried" in server.log(), 20, "the warning")
            assert "No space left on device" in server.log() and "free space" in server.log()
            assert not all(s.is_done for s in sent)
            resize(64)
            producer.flush(60)
            assert all(s.succeeded() for s in sent)
            producer.close()
            server.restart(hard=True)
            assert keys_in(server, "t", 12_000) == list(range(12_000))
