"""SIGTERM ends capture promptly, whatever it is waiting for."""

import json
import socket
import time
import urllib.request

import pytest

from harness import Millrace, free_port, wait_until

PROMPT_S = 3


def connector_file(tmp_path, port):
    config = {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": "127.0.0.1",
        "database.port": port,
        "database.user": "postgres",
        "database.dbname": "postgres",
        "topic.prefix": "stop",
        "slot.name": "stop",
    }
    path = tmp_path / "connector.json"
    path.write_text(json.dumps({"name": "stop", "config": config}))
    return path


def status_of(server):
    with urllib.request.urlopen(f"{server.http}/api/v1/status", timeout=5) as answer:
        return json.load(answer)["cdc"][0]


def stop_promptly(server, within_s=PROMPT_S):
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < within_s


@pytest.fixture
def make_capture(make_millrace, tmp_path):
    return lambda port, *more: make_millrace(*(more or ("--roles", "broker,cdc")), "--connector", connector_file(tmp_path, port))


def test_while_postgres_takes_the_connection_and_says_nothing(make_capture):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = make_capture(silent.getsockname()[1])
        connection, _ = silent.accept()
        assert connection.recv(1)  # capture has begun to speak and waits for an answer
        stop_promptly(server)
        connection.close()


def test_while_nothing_takes_the_connection(make_capture):
    """A full backlog: the first packet has no answer, as behind a firewall."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        server = make_capture(port)
        assert status_of(server)["state"] == "starting"
        stop_promptly(server)
        for filler in fillers:
            filler.close()


def test_while_the_slot_waits_for_an_open_transaction(make_capture, postgres):
    """CREATE_REPLICATION_SLOT waits until every transaction that writes has ended."""
    postgres.psql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    writer = postgres.connect()
    writer.cursor().execute("INSERT INTO t VALUES (2)")
    server = make_capture(postgres.port)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender' AND wait_event = 'transactionid'"
    wait_until(lambda: postgres.psql(waiting) == "1", 30, "the slot's wait")
    stop_promptly(server)
    writer.commit()
    writer.close()
    server.start()  # whatever the server made of the slot meanwhile
    wait_until(lambda: (s := status_of(server))["state"] == "streaming" and s["snapshot_rows"] == 2, 60, "both rows")
    stop_promptly(server)


def test_while_a_table_of_the_snapshot_is_locked(make_capture, postgres):
    postgres.psql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    holder = postgres.connect()
    holder.cursor().execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
    server = make_capture(postgres.port)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'millrace%' AND wait_event_type = 'Lock'"
    wait_until(lambda: postgres.psql(waiting) == "1", 30, "the snapshot's wait")
    stop_promptly(server)
    holder.close()


def test_while_the_log_is_away(make_capture, postgres):
    postgres.psql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    server = make_capture(postgres.port, "--roles", "cdc", "--kafka-bootstrap", f"127.0.0.1:{free_port()}")
    time.sleep(0.5)
    stop_promptly(server)


def test_while_it_streams_to_a_log_that_is_gone(make_millrace, make_capture, postgres):
    """What is on its way stays in the source: at most a few seconds are given to it."""
    postgres.psql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    log = make_millrace("--roles", "broker")
    server = make_capture(postgres.port, "--roles", "cdc", "--kafka-bootstrap", log.kafka)
    wait_until(lambda: status_of(server)["state"] == "streaming", 30, "streaming")
    log.kill9()
    postgres.psql("INSERT INTO t SELECT generate_series(2, 1000)")
    time.sleep(0.5)
    stop_promptly(server, 2 * PROMPT_S)


def test_while_it_streams(make_capture, postgres):
    postgres.psql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    server = make_capture(postgres.port)
    wait_until(lambda: status_of(server)["state"] == "streaming", 30, "streaming")
    stop_promptly(server)
