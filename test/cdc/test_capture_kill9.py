"""kill -9 of the capturing process, again and again, under load: every change is in the log once."""

import collections
import json
import random
import subprocess
import threading
import time

from harness import Millrace, wait_until

ROUNDS = 6


def connector_file(tmp_path, postgres):
    config = {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": "127.0.0.1",
        "database.port": postgres.port,
        "database.user": "postgres",
        "database.dbname": "postgres",
        "topic.prefix": "k",
        "slot.name": "k",
        "key.converter.schemas.enable": "false",
        "value.converter.schemas.enable": "false",
    }
    path = tmp_path / "connector.json"
    path.write_text(json.dumps({"name": "k", "config": config}))
    return path


def started_capture(tmp_path, postgres, log):
    path = connector_file(tmp_path, postgres)
    return Millrace(tmp_path / "capture", "--roles", "cdc", "--kafka-bootstrap", log.kafka, "--connector", path).start()


def read_topic(bootstrap, topic):
    command = ["kcat", "-b", bootstrap, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J"]
    done = subprocess.run(command, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_no_change_is_lost_or_doubled_over_kill_9(tmp_path, postgres, millrace):
    """The log is one Millrace that stays; capture is another that dies."""
    postgres.psql("CREATE TABLE a (id serial PRIMARY KEY, v int, t text); CREATE TABLE b (id serial PRIMARY KEY, v int)")
    postgres.psql("INSERT INTO a (v, t) SELECT i, repeat('s', 40) FROM generate_series(1, 5000) i")
    capture = started_capture(tmp_path, postgres, millrace)
    transaction = (
        "BEGIN; INSERT INTO a (v, t) SELECT i, repeat('x', 50) FROM generate_series(1, 20) i; INSERT INTO b (v) VALUES (1);"
        "UPDATE a SET v = v + 1 WHERE id = (SELECT max(id) FROM a);"
        "DELETE FROM a WHERE id = (SELECT max(id) - 5 FROM a); COMMIT;"
    )
    big = "INSERT INTO a (v, t) SELECT i, repeat('y', 100) FROM generate_series(1, 30000) i;"
    load = threading.Thread(target=postgres.psql, args=(transaction * 500 + big + transaction * 500,))
    load.start()
    chance = random.Random(7)
    try:
        for _ in range(ROUNDS):
            time.sleep(chance.uniform(0.2, 1.5))
            capture.restart(hard=True)
        load.join()
        end = postgres.psql("SELECT pg_current_wal_lsn()")
        confirmed = f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots WHERE slot_name = 'k'"
        wait_until(lambda: postgres.psql(confirmed) == "t", 60, "the slot's advance to the end")
    finally:
        capture.kill9()
    for table in ("a", "b"):
        rows, seen, doubled = {}, set(), collections.Counter()
        for record in read_topic(millrace.kafka, f"k.public.{table}"):
            if record["payload"] is None:
                continue
            event = json.loads(record["payload"])
            identity = (event["source"]["lsn"], event["op"], record["key"])
            if event["op"] != "r" and identity in seen:
                doubled[identity] += 1
            seen.add(identity)
            key = json.loads(record["key"])["id"]
            if event["op"] == "d":
                rows.pop(key)
            else:
                assert event["op"] != "c" or key not in rows, f"{table} {key} is created twice"
                rows[key] = event["after"]["v"]
        assert not doubled
        wanted = postgres.psql(f"SELECT id, v FROM {table} ORDER BY id").splitlines()
        assert [f"{key}|{rows[key]}" for key in sorted(rows)] == wanted


def test_what_was_replayed_once_is_not_awaited_after_the_next_kill(tmp_path, postgres, millrace):
    """A change of table b lands, its position is not stored; the next position is stored without another change of b."""
    postgres.psql("CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (id serial PRIMARY KEY)")
    postgres.psql("INSERT INTO a SELECT; INSERT INTO b SELECT")
    capture = started_capture(tmp_path, postgres, millrace)

    def landed(table):
        return len(read_topic(millrace.kafka, f"k.public.{table}"))

    def stored(table):
        """Up to where the newest stored position knows the table's topic."""
        position = json.loads(read_topic(millrace.kafka, "__millrace_cdc_positions")[-1]["payload"])
        return next((o["next"] for o in position["offsets"] if o["topic"] == f"k.public.{table}"), 0)

    def insert_and_wait_until_stored():
        postgres.psql("INSERT INTO a SELECT")
        rows = int(postgres.psql("SELECT count(*) FROM a"))

        def done():
            assert "cdc.attempt_failed" not in capture.log(), capture.log()[-1000:]
            return landed("a") == stored("a") == rows

        wait_until(done, 20, "a's change and its position")

    try:
        wait_until(lambda: landed("a") == landed("b") == 1, 30, "the snapshot")
        chance = random.Random(7)
        for _ in range(20):
            time.sleep(1)  # the next position is stored at once, and the one after it half a second later
            postgres.psql("INSERT INTO a SELECT")
            time.sleep(0.05)
            postgres.psql("INSERT INTO b SELECT")
            time.sleep(chance.uniform(0.05, 0.4))
            capture.kill9()
            if stored("b") < landed("b"):
                break
            capture.start()
        assert stored("b") < landed("b"), "no kill came between a change and its position"
        capture.start()
        insert_and_wait_until_stored()
        capture.restart(hard=True)
        insert_and_wait_until_stored()
    finally:
        capture.kill9()
    rows = {table: int(postgres.psql(f"SELECT count(*) FROM {table}")) for table in ("a", "b")}
    assert {table: landed(table) for table in rows} == rows
