"""What only a WAL on a disk (--wal disk:PATH) has: segments and their drain, two processes, leaving the disk, losing it.

All else is tested on both: `make test-disk`.
"""

import contextlib
import os
import shutil

import pytest

from harness import Millrace, wait_until
from load import check_kills, keys_in, produce

ROUNDS = int(os.environ.get("KILLS", "8"))
RECORDS = 3000
# So that every test sees segments filled and used again, and slots merged into objects.
SMALL = ("--set", "wal.segment.bytes=1048576", "--set", "object.interval.ms=700")


def broker(path, *arguments, wal="disk", bucket=None):
    place = f"disk:{path}/wal" if wal == "disk" else wal
    return Millrace(path / "millrace", "--roles", "broker", "--wal", place, *arguments, bucket=bucket)


@contextlib.contextmanager
def running(server):
    try:
        yield server.start()
    finally:
        server.kill9()


def slots_in_bucket(path):
    """Data slots in the bucket's directory: all but those that open a WAL."""
    files = (path / "millrace" / "bucket" / "wal").rglob("*")
    return [f for f in files if f.is_file() and f.name not in ("disk", "0" * 20)]


@pytest.mark.timeout(280)
def test_every_acknowledged_record_is_there_once_after_kills(tmp_path):
    with running(broker(tmp_path, *SMALL)) as server:
        check_kills(server, ROUNDS)
        assert not slots_in_bucket(tmp_path), "data slots are in the bucket"


def test_slots_are_drained_to_the_bucket_and_segments_used_again(tmp_path):
    with running(broker(tmp_path, *SMALL)) as server:
        for round_ in range(3):
            produce(server.kafka, "t", range(round_ * RECORDS, (round_ + 1) * RECORDS), value=b"x" * 1000)
            wait_until(lambda: server.metric("millrace_disk_needed_bytes") == 0, 20, "the drain")
        assert server.metric("millrace_disk_segments_reused_total") > 0
        assert server.metric("millrace_disk_bytes_total") > 3 * RECORDS * 1000
        assert server.metric("millrace_disk_segment_bytes") < 3 * RECORDS * 1000
        assert not slots_in_bucket(tmp_path)
        assert server.stop() == 0
        server.start()
        assert keys_in(server.kafka, "t", 3 * RECORDS) == list(range(3 * RECORDS))


def test_a_second_process_on_the_directory_is_told_who_holds_it(tmp_path):
    with running(broker(tmp_path)) as server:
        other = Millrace(tmp_path / "other", "--roles", "broker", "--wal", f"disk:{tmp_path}/wal")
        message = other.refusal()
        assert f"in use by process {server.pid}" in message and "directory of its own" in message
        assert not (tmp_path / "other" / "bucket").exists(), "the bucket was touched"
        produce(server.kafka, "t", range(10))


@pytest.mark.parametrize(
    "wal, says",
    [("disk", "it is bucket or disk:PATH"), ("disc:/x", "it is bucket or disk:PATH"), ("disk:", "needs the path of a directory")],
)
def test_a_wrong_wal_is_one_clear_error(tmp_path, wal, says):
    server = Millrace(tmp_path, "--roles", "broker", "--wal", wal)
    message = server.refusal()
    assert says in message and "--wal" in message
    assert not (tmp_path / "bucket").exists(), "the bucket was touched"


def test_a_file_in_the_way_is_one_clear_error(tmp_path):
    (tmp_path / "wal").write_text("not a directory")
    assert f"{tmp_path}/wal" in broker(tmp_path).refusal()


def test_a_wal_on_a_disk_is_not_taken_for_an_empty_one(tmp_path):
    """Slots on a disk that a start does not hold: it is refused with their place; with the disk nothing is lost."""
    with running(broker(tmp_path)) as server:
        produce(server.kafka, "t", range(RECORDS))
    for other in (broker(tmp_path, wal="bucket"), broker(tmp_path, wal=f"disk:{tmp_path}/another")):
        message = other.refusal()
        assert f"{tmp_path}/wal" in message and "--wal disk:PATH" in message and "wal.drain" in message
    # With the disk to drain beside the bucket everything is there, and the disk can go once it is empty.
    with running(broker(tmp_path, "--set", f"wal.drain={tmp_path}/wal", *SMALL, wal="bucket")) as server:
        produce(server.kafka, "t", range(RECORDS, 2 * RECORDS))
        assert keys_in(server.kafka, "t", 2 * RECORDS) == list(range(2 * RECORDS))
        wait_until(lambda: server.metric("millrace_disk_needed_bytes") == 0, 20, "the drain")
    shutil.rmtree(tmp_path / "wal")
    with running(broker(tmp_path, wal="bucket")) as server:
        assert keys_in(server.kafka, "t", 2 * RECORDS) == list(range(2 * RECORDS))


def test_a_disk_of_another_bucket_is_refused(tmp_path):
    with running(broker(tmp_path)) as server:
        produce(server.kafka, "t", range(10))
    message = broker(tmp_path, bucket=f"file://{tmp_path}/another").refusal()
    assert "holds records of another bucket" in message and f"{tmp_path}/wal" in message
    with running(broker(tmp_path)) as server:
        assert keys_in(server.kafka, "t", 10) == list(range(10))


def test_a_lost_disk_costs_what_was_not_drained_and_nothing_else(tmp_path):
    with running(broker(tmp_path, *SMALL)) as server:
        produce(server.kafka, "t", range(RECORDS))
        wait_until(lambda: server.metric("millrace_disk_needed_bytes") == 0, 20, "the drain")
    shutil.rmtree(tmp_path / "wal")
    message = broker(tmp_path).refusal()
    lost = message.rpartition("wal.lost=")[2].split()[0]
    with running(broker(tmp_path, "--set", f"wal.lost={lost}")) as server:
        assert keys_in(server.kafka, "t", RECORDS) == list(range(RECORDS))
        produce(server.kafka, "t", range(RECORDS, RECORDS + 10))
        # Given up once, it is not asked for again.
    with running(broker(tmp_path)) as server:
        assert keys_in(server.kafka, "t", RECORDS + 10) == list(range(RECORDS + 10))
