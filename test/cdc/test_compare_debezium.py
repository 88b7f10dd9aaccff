"""Our change events beside Debezium's own, for the same changes of the same tables: `make test-debezium`.

A private PostgreSQL 15 and a real Apache Kafka; Debezium on Connect and Millrace each with a slot and a topic
prefix of its own, started on the same rows, then given the same changes. What is compared, and what is not and
why, is in compare.py.
"""

import copy
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cdc.compare import compare_topics, differences, events, without_times
from harness import KAFKA_PEER, Millrace, free_port, wait_until

pytestmark = pytest.mark.timeout(600)
HERE = Path(__file__).parent
MODES = {  # name: what the connector file says beyond the connection
    "plain": {"key.converter.schemas.enable": "false", "value.converter.schemas.enable": "false"},
    "schemas": {"key.converter.schemas.enable": "true", "value.converter.schemas.enable": "true"},
    "texts": {
        "key.converter.schemas.enable": "true",
        "value.converter.schemas.enable": "true",
        "decimal.handling.mode": "string",
        "tombstones.on.delete": "false",
    },
    "doubles": {
        "key.converter.schemas.enable": "false",
        "value.converter.schemas.enable": "true",
        "decimal.handling.mode": "double",
    },
}


def connector(prefix, mode, port):
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": "127.0.0.1",
        "database.port": str(port),
        "database.user": "postgres",
        "database.password": "any",
        "database.dbname": "postgres",
        "topic.prefix": prefix,
        "plugin.name": "pgoutput",
        "slot.name": prefix,
        "publication.name": f"pub_{prefix}",
        "table.exclude.list": "public.not_captured",
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        **MODES[mode],
    }


def read_topic(bootstrap, topic, prefix):
    command = ["kcat", "-b", bootstrap, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return events(done.stdout.splitlines(), prefix)


def read_all(bootstrap, prefix):
    """{topic without prefix: events}"""
    listing = subprocess.run(["kcat", "-b", bootstrap, "-L", "-J"], capture_output=True, text=True, check=True)
    topics = [t["topic"] for t in json.loads(listing.stdout)["topics"] if t["topic"].startswith(prefix + ".")]
    with ThreadPoolExecutor(8) as pool:
        read = pool.map(lambda topic: read_topic(bootstrap, topic, prefix), topics)
        return {topic.removeprefix(prefix): found for topic, found in zip(topics, read)}


def has_row(bootstrap, prefix, table, key):
    """The topic of `table` holds the row whose first column is `key`."""
    found = read_topic(bootstrap, f"{prefix}.public.{table}", prefix)
    rows = [e["value"].get("payload", e["value"])["after"] for e in found if e["value"]]
    return any(row and next(iter(row.values())) == key for row in rows)


@pytest.fixture(scope="module")
def captured(kafka_tools, tmp_path_factory, shared_postgres):
    """{mode: (Debezium's topics, ours)}"""
    directory = tmp_path_factory.mktemp("debezium")
    plugins = kafka_tools.home / "plugins"
    assert (plugins / "debezium-connector-postgres").exists(), f"`{KAFKA_PEER} install debezium` first"
    shared_postgres.psql((HERE / "scenario_tables.sql").read_text())
    with kafka_tools.broker(directory / "kafka") as bootstrap:
        files = []
        for mode in MODES:
            name = f"dbz{mode}"
            lines = {"name": name, **connector(name, mode, shared_postgres.port)}
            path = directory / f"{name}.properties"
            path.write_text("".join(f"{k}={v}\n" for k, v in lines.items()))
            files.append(path)
        worker = directory / "worker.properties"
        worker.write_text(
            f"bootstrap.servers={bootstrap}\nplugin.path={plugins}\n"
            f"offset.storage.file.filename={directory}/offsets\nlisteners=http://127.0.0.1:{free_port()}\n"
            "key.converter=org.apache.kafka.connect.json.JsonConverter\n"
            "value.converter=org.apache.kafka.connect.json.JsonConverter\n"
        )
        ours = []
        for mode in MODES:
            path = directory / f"our{mode}.json"
            path.write_text(json.dumps({"name": f"our{mode}", "config": connector(f"our{mode}", mode, shared_postgres.port)}))
            ours += ["--connector", path]
        with (directory / "connect.log").open("wb") as log:
            connect = subprocess.Popen(
                kafka_tools.command("connect-standalone", worker, *files), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        millrace = Millrace(directory / "millrace", "--roles", "cdc", "--kafka-bootstrap", bootstrap, *ours).start()
        try:
            prefixes = [f"{who}{mode}" for mode in MODES for who in ("dbz", "our")]
            for prefix in prefixes:  # the last table of the snapshot
                wait_until(lambda: has_row(bootstrap, prefix, "unique_key", 1), 90, f"the snapshot of {prefix}")
            active = "SELECT count(*) FROM pg_replication_slots WHERE active"
            wait_until(lambda: shared_postgres.psql(active) == str(len(prefixes)), 60, "streaming from every slot")
            shared_postgres.psql((HERE / "scenario_changes.sql").read_text())
            for prefix in prefixes:
                wait_until(lambda: has_row(bootstrap, prefix, "one_row", 99), 60, f"the last change from {prefix}")
            yield {m: (read_all(bootstrap, f"dbz{m}"), read_all(bootstrap, f"our{m}")) for m in MODES}
        finally:
            connect.terminate()
            connect.wait(60)
            millrace.stop()


@pytest.mark.parametrize("mode", MODES)
def test_every_event_is_what_debezium_writes(captured, mode):
    theirs, ours = captured[mode]
    assert sum(map(len, theirs.values())) > 100
    found = compare_topics(theirs, ours)
    assert not found, "\n".join(found[:40])


def test_the_comparison_sees_a_changed_field(captured):
    theirs, _ = captured["plain"]
    event = next(e for e in theirs[".public.numbers"] if e["value"])
    changed = copy.deepcopy(event)
    changed["value"]["after"]["l"] = 1
    assert list(differences(without_times(event), without_times(changed)))
