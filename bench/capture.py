"""The part of bench/run that captures the same backlog of a PostgreSQL table, by Millrace and by Debezium."""

import contextlib
import json
import subprocess
import tempfile
import time
from pathlib import Path

from harness import KAFKA_PEER, KafkaTools, Millrace, free_port, postgres_in, reachable_directory, wait_until

TABLE = "CREATE TABLE event (id bigint PRIMARY KEY, kind text NOT NULL, amount numeric(12,2) NOT NULL, note text)"


def connector(postgres, slot):
    """A file that Debezium takes as it is, and so do we."""
    return {
        "name": slot,
        "config": {
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "plugin.name": "pgoutput",
            "database.hostname": "127.0.0.1",
            "database.port": str(postgres.port),
            "database.user": "postgres",
            "database.password": "",
            "database.dbname": "bench",
            "topic.prefix": "bench",
            "slot.name": slot,
            "publication.name": slot,
            "publication.autocreate.mode": "filtered",
            "table.include.list": "public.event",
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "key.converter.schemas.enable": "false",
            "value.converter.schemas.enable": "false",
        },
    }


@contextlib.contextmanager
def source():
    """A private PostgreSQL that flushes at commit, as a real one does."""
    with reachable_directory() as directory:
        postgres = postgres_in(directory / "pg", fsync="on", max_wal_size="4GB", shared_buffers="256MB")
        try:
            postgres.psql("CREATE DATABASE bench")
            postgres.psql(TABLE, database="bench")
            yield postgres
        finally:
            postgres.stop()


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def backlog(postgres, rows):
    """`rows` inserted in transactions of 1000, as the reader is away."""
    with postgres.connect("bench") as link, link.cursor() as cursor:
        for start in range(1, rows + 1, 1000):
            cursor.execute(
                "INSERT INTO event SELECT i, 'sale', i %% 1000, 'a note of some length' FROM generate_series(%s, %s) i",
                (start, min(rows, start + 999)),
            )
            link.commit()


def caught_up(address, rows, pid):
    """From the first records in the topic (start-up is not capture) until it holds `rows`: events, seconds, CPU seconds."""
    from kafka import KafkaConsumer, TopicPartition

    with contextlib.closing(KafkaConsumer(bootstrap_servers=address)) as consumer:
        partitions = []

        def landed():
            if not partitions:
                known = consumer.partitions_for_topic("bench.public.event") or set()
                partitions.extend(TopicPartition("bench.public.event", p) for p in known)
            return sum(consumer.end_offsets(partitions).values()) if partitions else 0

        before = wait_until(landed, 120, "the first events in the topic")
        started, cpu = time.monotonic(), cpu_seconds(pid)
        wait_until(lambda: landed() >= rows, 600, "the backlog in the topic")
        return {"events": rows - before, "seconds": time.monotonic() - started, "cpu_s": cpu_seconds(pid) - cpu}


def our_capture(rows, scratch):
    with source() as postgres:
        file = Path(scratch) / "ours.json"
        file.write_text(json.dumps(connector(postgres, "ours")))
        server = Millrace(Path(scratch) / "millrace", "--roles", "broker,cdc", "--connector", file).start()
        wait_until(lambda: postgres.psql("SELECT count(*) FROM pg_replication_slots", "bench") == "1", 60, "the slot")
        time.sleep(2)  # the empty snapshot
        server.stop()
        backlog(postgres, rows)
        try:
            server.start()
            return caught_up(server.kafka, rows, server.pid)
        finally:
            server.stop()


class Connect:
    """Debezium on Kafka Connect, standalone."""

    def __init__(self, scratch, postgres, broker):
        self.scratch = Path(scratch)
        port = free_port()
        worker = {
            "bootstrap.servers": broker,
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "key.converter.schemas.enable": "false",
            "value.converter.schemas.enable": "false",
            "offset.storage.file.filename": str(self.scratch / "offsets"),
            "offset.flush.interval.ms": "1000",
            "plugin.path": str(KafkaTools.home / "plugins"),
            "listeners": f"HTTP://127.0.0.1:{port}",
        }
        config = {"name": "debezium", **connector(postgres, "debezium")["config"]}
        for name, settings in (("worker", worker), ("connector", config)):
            text = "".join(f"{key}={value}\n" for key, value in settings.items())
            (self.scratch / f"{name}.properties").write_text(text)

    def start(self):
        files = [str(self.scratch / "worker.properties"), str(self.scratch / "connector.properties")]
        with (self.scratch / "connect.log").open("ab") as log:
            command = [str(KAFKA_PEER), "tool", "connect-standalone", *files]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def debezium_capture(rows, scratch):
    with source() as postgres, KafkaTools().broker(f"{scratch}/kafka") as broker:
        connect = Connect(scratch, postgres, broker).start()
        try:
            active = "SELECT count(*) FROM pg_replication_slots WHERE active"
            wait_until(lambda: postgres.psql(active, "bench") == "1", 90, "Debezium's slot")
            time.sleep(5)
        finally:
            connect.stop()
        backlog(postgres, rows)
        connect.start()
        try:
            return caught_up(broker, rows, connect.process.pid)
        finally:
            connect.stop()


def capture(rows, rounds=1):
    results = {"Millrace": [], "Debezium": []}
    for _ in range(rounds):
        for name, run in (("Millrace", our_capture), ("Debezium", debezium_capture)):
            with tempfile.TemporaryDirectory(prefix="millrace-capture-") as scratch:
                result = run(rows, scratch)
            result["events_per_s"] = result["events"] / result["seconds"]
            result["cpu_s_per_million"] = result["cpu_s"] / result["events"] * 1e6
            results[name].append(result)
    return results
