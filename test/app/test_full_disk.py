"""A disk that fills up under producers, the bucket's or the WAL's: the log says so, and with room again everything goes on."""

import contextlib
import os

import pytest
from kafka import KafkaProducer

from harness import Millrace, small_disk, wait_until
from load import keys_in, produce

RECORDS = 12_000
VALUE = b"x" * 1000


@pytest.mark.parametrize("wal", ["bucket", "disk"])
def test_a_full_disk_is_told_and_nothing_is_lost_once_there_is_room(tmp_path, wal):
    with small_disk(tmp_path / "disk", 6) as resize:
        bucket = f"file://{tmp_path}/disk/bucket" if wal == "bucket" else None
        place = ("--wal", wal if wal == "bucket" else f"disk:{tmp_path}/disk/wal", "--set", "wal.segment.bytes=1048576")
        server = Millrace(tmp_path / "millrace", "--roles", "broker", *place, bucket=bucket).start()
        try:
            producer = KafkaProducer(
                bootstrap_servers=server.kafka, acks="all", enable_idempotence=True, delivery_timeout_ms=60_000,
                request_timeout_ms=20_000, linger_ms=5,
            )
            sent = [producer.send("t", value=VALUE, key=b"%d" % i) for i in range(RECORDS)]
            wait_until(lambda: "wal.put_retried" in server.log(), 20, "the warning")
            assert "No space left on device" in server.log() and "free space" in server.log()
            assert not all(s.is_done for s in sent)
            resize(64)
            producer.flush(60)
            assert all(s.succeeded() for s in sent)
            producer.close()
            server.restart(hard=True)
            assert keys_in(server.kafka, "t", RECORDS) == list(range(RECORDS))
        finally:
            server.kill9()


@pytest.mark.long
@pytest.mark.timeout(150)
def test_a_full_bucket_holds_up_no_producer_with_a_wal_on_a_disk(tmp_path):
    with small_disk(tmp_path / "disk", 6) as resize:
        places = ("--wal", f"disk:{tmp_path}/wal", "--set", "object.interval.ms=700")
        server = Millrace(tmp_path / "millrace", "--roles", "broker", *places, bucket=f"file://{tmp_path}/disk/bucket")
        try:
            server.start()
            produce(server.kafka, "t", range(RECORDS), VALUE)
            wait_until(lambda: "compaction.failed" in server.log(), 60, "the warning")
            assert "No space left on device" in server.log() and "free space" in server.log()
            produce(server.kafka, "t", range(RECORDS, RECORDS + 10), VALUE)
            assert server.metric("millrace_disk_needed_bytes") > 0
            resize(64)
            wait_until(lambda: server.metric("millrace_disk_needed_bytes") == 0, 60, "the drain")
            server.restart(hard=True)
            assert keys_in(server.kafka, "t", RECORDS + 10) == list(range(RECORDS + 10))
        finally:
            server.kill9()


def test_a_start_on_a_full_disk_is_one_clear_error(tmp_path):
    with small_disk(tmp_path / "disk", 1):
        filler = os.open(tmp_path / "disk" / "filler", os.O_WRONLY | os.O_CREAT)
        with contextlib.suppress(OSError):
            while True:
                os.write(filler, bytes(4096))
        os.close(filler)
        server = Millrace(tmp_path / "millrace", "--roles", "broker", bucket=f"file://{tmp_path}/disk/bucket")
        with pytest.raises(AssertionError, match="ended with 1 before it was ready") as told:
            server.start(60)
        assert "No space left on device" in str(told.value)
        server.kill9()
