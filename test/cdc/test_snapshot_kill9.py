"""kill -9 in the middle of a snapshot, three times, with changes in between: the topic ends as the table is."""

import json
import random
import subprocess
import urllib.request

import pytest
from kafka.admin import KafkaAdminClient, NewTopic

from harness import Millrace, wait_until

pytestmark = pytest.mark.timeout(300)
ROWS = 200_000
KILLS = 3


def read_topic(bootstrap, topic):
    """The topic as (key, event) pairs; the event of a tombstone is None."""
    command = ["kcat", "-b", bootstrap, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    records = (json.loads(line) for line in done.stdout.splitlines())
    return [(json.loads(r["key"])["id"], json.loads(r["payload"]) if r["payload"] else None) for r in records]


def end_of(bootstrap, topic, partitions):
    """How many records the topic holds."""
    asked = [part for p in range(partitions) for part in ("-t", f"{topic}:{p}:-1")]
    done = subprocess.run(["kcat", "-b", bootstrap, "-Q", *asked], capture_output=True, text=True, timeout=30)
    return sum(int(line.rsplit("offset ", 1)[1]) for line in done.stdout.splitlines())


def status_of(server):
    with urllib.request.urlopen(f"{server.http}/api/v1/status", timeout=5) as answer:
        return json.load(answer)["cdc"][0]


def state_by_key(records):
    rows = {}
    for key, event in records:
        if event is None:
            continue
        if event["op"] == "d":
            rows.pop(key, None)
        else:
            rows[key] = event["after"]["v"]
    return rows


def connector_file(path, port):
    config = {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": "127.0.0.1",
        "database.port": port,
        "database.user": "postgres",
        "database.dbname": "postgres",
        "topic.prefix": "s",
        "slot.name": "s",
        "key.converter.schemas.enable": "false",
        "value.converter.schemas.enable": "false",
    }
    path.write_text(json.dumps({"name": "s", "config": config}))
    return path


def change_rows(postgres, round_):
    """Rows copied already and rows not copied yet: changed, deleted, moved to another key, and new ones."""
    shift = round_ * 7
    postgres.psql(
        f"UPDATE big SET v = v + 1000000 WHERE id % 1000 = {shift + 1};"
        f"DELETE FROM big WHERE id % 1000 = {shift + 2};"
        f"UPDATE big SET id = id + 10000000 * {round_ + 1} WHERE id % 5000 = {shift + 3};"
        f"INSERT INTO big SELECT 1000000 * {round_ + 1} + i, i, 'new' FROM generate_series(1, 50) i;"
        f"BEGIN; INSERT INTO big VALUES (-{round_ + 1}, 1, 'here and gone'); DELETE FROM big WHERE id = -{round_ + 1}; COMMIT"
    )


def check_topic(records, postgres, table):
    """The state by key is the table's, and no change of the stream is there twice."""
    changes = [(e["source"]["lsn"], e["op"], key) for key, e in records if e and e["op"] != "r"]
    assert len(changes) == len(set(changes))
    rows = state_by_key(records)
    wanted = postgres.psql(f"SELECT id, v FROM {table} ORDER BY id").splitlines()
    assert [f"{key}|{rows[key]}" for key in sorted(rows)] == wanted


@pytest.mark.parametrize("partitions, whole_process", [(1, False), (4, False), (1, True)])
def test_a_snapshot_killed_half_way_loses_nothing(tmp_path, postgres, partitions, whole_process):
    """The capturing process dies alone, or the log with it."""
    postgres.psql("CREATE TABLE big (id int PRIMARY KEY, v int, t text); CREATE TABLE small (id int PRIMARY KEY, v int)")
    postgres.psql(f"INSERT INTO big SELECT i, i, repeat('s', 100) FROM generate_series(1, {ROWS}) i")
    postgres.psql("INSERT INTO small SELECT i, i FROM generate_series(1, 10) i")
    connector = ["--connector", connector_file(tmp_path / "connector.json", postgres.port)]
    log = capture = Millrace(tmp_path / "whole", "--roles", "broker,cdc", *connector)
    if not whole_process:
        log = Millrace(tmp_path / "log", "--roles", "broker").start()
        capture = Millrace(tmp_path / "capture", "--roles", "cdc", "--kafka-bootstrap", log.kafka, *connector)
        if partitions > 1:
            admin = KafkaAdminClient(bootstrap_servers=log.kafka)
            admin.create_topics([NewTopic("s.public.big", partitions, 1)])
            admin.close()
    chance = random.Random(partitions)
    try:
        before = 0
        for round_ in range(KILLS):
            capture.start()
            wanted = chance.randrange(ROWS // 20, ROWS * 9 // 10)
            wait_until(lambda: status_of(capture)["snapshot_rows"] >= wanted, 60, "the snapshot's progress")
            if not whole_process:
                capture.kill9()
                now = end_of(log.kafka, "s.public.big", partitions)
                assert 0 < now - before < ROWS * 0.97, "the kill came too early or too late"
                before = now
            else:
                assert status_of(capture)["state"] == "snapshot"
                capture.kill9()
            change_rows(postgres, round_)
        capture.start()
        end = postgres.psql("SELECT pg_current_wal_lsn()")
        confirmed = f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots WHERE slot_name = 's'"
        wait_until(lambda: postgres.psql(confirmed) == "t", 90, "the slot's advance to the end")
        records = read_topic(log.kafka, "s.public.big")
        check_topic(records, postgres, "big")
        check_topic(read_topic(log.kafka, "s.public.small"), postgres, "small")
        # A snapshot that is done is never done again.
        capture.restart(hard=True)
        postgres.psql("INSERT INTO small VALUES (11, 11)")
        wait_until(lambda: len(read_topic(log.kafka, "s.public.small")) == 11, 60, "the change after the restart")
        assert end_of(log.kafka, "s.public.big", partitions) == len(records)
    finally:
        capture.kill9()
        log.kill9()
