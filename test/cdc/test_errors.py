"""Each thing that keeps capture from working gives one clear error with the fix, from `check` and from `start`."""

import contextlib
import json
import subprocess
import time
import urllib.request

import pytest

from harness import MILLRACE, Millrace, free_port, postgres_in, reachable_directory, wait_until


def connector_file(path, name, port, **options):
    config = {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": "127.0.0.1",
        "database.port": port,
        "database.user": "postgres",
        "database.dbname": "postgres",
        "topic.prefix": name,
        "slot.name": name,
        "publication.name": f"pub_{name}",
        **{option.replace("_", "."): value for option, value in options.items()},
    }
    file = path / f"{name}.json"
    file.write_text(json.dumps({"name": name, "config": config}))
    return file


def check(file):
    """The findings that are not good, and the exit code."""
    done = subprocess.run([MILLRACE, "cdc", "check", file], capture_output=True, text=True, timeout=60)
    assert not done.stderr, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("FAIL")], done.returncode


def status_of(server):
    with urllib.request.urlopen(f"{server.http}/api/v1/status", timeout=5) as answer:
        return json.load(answer)["cdc"][0]


def error_of(server, state="failed"):
    """The connector's error, once it is in `state`."""
    found = wait_until(lambda: (s := status_of(server))["state"] == state and s["error"] and s, 30, f"state {state}")
    return found["error"]


@contextlib.contextmanager
def started(tmp_path, file):
    server = Millrace(tmp_path / "capturing", "--roles", "broker,cdc", "--connector", file).start()
    try:
        yield server
        begun = time.monotonic()
        assert server.stop() == 0, server.log()
        assert time.monotonic() - begun < 5, "a connector in trouble must not hold up the end"
    finally:
        server.kill9()


def both_say(tmp_path, file, *parts, state="failed"):
    failed, code = check(file)
    assert code == 1 and len(failed) == 1, failed
    for part in parts:
        assert part in failed[0]
    with started(tmp_path, file) as server:
        error = error_of(server, state)
        for part in parts:
            assert part in error
        attempts = server.log().count("cdc.attempt_failed")
        assert attempts == 1 or state == "retrying", server.log()
    return failed[0], error


@pytest.fixture(scope="module")
def locked():
    """A server that wants passwords, with roles of few rights and a table."""
    with reachable_directory() as directory:
        server = postgres_in(directory / "server")
        server.psql("ALTER ROLE postgres PASSWORD 'root'")
        server.psql(
            "CREATE ROLE capture LOGIN REPLICATION PASSWORD 'right'; CREATE ROLE reader LOGIN PASSWORD 'right';"
            "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);"
            "GRANT SELECT ON t TO capture, reader; CREATE PUBLICATION there FOR ALL TABLES"
        )
        hba = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (server.data / "pg_hba.conf").write_text(hba)
        server.psql("SELECT pg_reload_conf()")
        yield server
        server.stop()


def test_a_wrong_password(tmp_path, locked):
    file = connector_file(tmp_path, "pw", locked.port, database_user="capture", database_password="wrong")
    both_say(tmp_path, file, 'wrong password for user "capture"', "set database.user and database.password")


def test_no_password(tmp_path, locked):
    file = connector_file(tmp_path, "nopw", locked.port, database_user="capture")
    both_say(tmp_path, file, 'wrong password for user "capture"', "set database.user and database.password")


def test_a_user_that_does_not_exist(tmp_path, postgres):
    file = connector_file(tmp_path, "nouser", postgres.port, database_user="nobody_here")
    both_say(tmp_path, file, 'role "nobody_here" does not exist', "set database.user right")


def test_a_database_that_does_not_exist(tmp_path, locked):
    file = connector_file(tmp_path, "nodb", locked.port, database_dbname="not_there")
    both_say(tmp_path, file, 'database "not_there" does not exist', "set database.dbname right")


def test_a_role_without_replication(tmp_path, locked):
    file = connector_file(
        tmp_path, "norep", locked.port, database_user="reader", database_password="right", publication_name="there"
    )
    both_say(tmp_path, file, 'user "reader" may not replicate', "ALTER ROLE", "REPLICATION")


@pytest.mark.parametrize(
    "mode, fix", [("filtered", "GRANT CREATE ON DATABASE"), ("all_tables", "CREATE PUBLICATION"), ("no_tables", "GRANT CREATE ON DATABASE")]
)
def test_a_role_that_may_not_make_the_publication(tmp_path, locked, mode, fix):
    options = {"database_user": "capture", "database_password": "right", "publication_autocreate_mode": mode}
    file = connector_file(tmp_path, f"nopub_{mode}", locked.port, table_include_list="public.t", **options)
    both_say(tmp_path, file, f"publication \"pub_nopub_{mode}\" does not exist", fix)


def test_a_role_that_does_not_own_the_tables(tmp_path, locked):
    locked.psql("GRANT CREATE ON DATABASE postgres TO capture")
    try:
        options = {"database_user": "capture", "database_password": "right", "publication_autocreate_mode": "filtered"}
        file = connector_file(tmp_path, "notmine", locked.port, table_include_list="public.t", **options)
        both_say(tmp_path, file, "does not own table public.t", "CREATE PUBLICATION", "autocreate.mode to disabled")
    finally:
        locked.psql("REVOKE CREATE ON DATABASE postgres FROM capture")


def test_a_table_that_may_not_be_read(tmp_path, locked):
    locked.psql("CREATE TABLE secret (id int PRIMARY KEY)")
    try:
        options = {"database_user": "capture", "database_password": "right", "publication_name": "there"}
        file = connector_file(tmp_path, "secret", locked.port, table_include_list="public.secret", **options)
        both_say(tmp_path, file, "may not read table public.secret", 'GRANT SELECT ON public.secret TO "capture"')
        assert locked.psql("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'secret'") == "0"
    finally:
        locked.psql("DROP TABLE secret")


def test_a_schema_that_may_not_be_used(tmp_path, locked):
    locked.psql("CREATE SCHEMA hidden; CREATE TABLE hidden.x (id int PRIMARY KEY); GRANT SELECT ON hidden.x TO capture")
    try:
        options = {"database_user": "capture", "database_password": "right", "publication_name": "there"}
        file = connector_file(tmp_path, "hidden", locked.port, table_include_list="hidden.x", **options)
        both_say(tmp_path, file, "may not read table hidden.x", 'GRANT USAGE ON SCHEMA "hidden" TO "capture"')
    finally:
        locked.psql("DROP SCHEMA hidden CASCADE")


def test_a_publication_that_lacks_tables_and_belongs_to_another(tmp_path, locked):
    locked.psql("CREATE PUBLICATION of_another")
    options = {"database_user": "capture", "database_password": "right", "publication_name": "of_another"}
    mode = {"publication_autocreate_mode": "filtered", "table_include_list": "public.t"}
    file = connector_file(tmp_path, "other", locked.port, **options, **mode)
    both_say(tmp_path, file, "does not own it", 'ALTER PUBLICATION "of_another" SET TABLE "public"."t"')


def test_a_publication_that_is_missing_with_autocreate_disabled(tmp_path, locked):
    file = connector_file(tmp_path, "disabled", locked.port, publication_autocreate_mode="disabled")
    both_say(tmp_path, file, 'publication "pub_disabled" does not exist', "CREATE PUBLICATION", '"public"."t"')


@pytest.mark.parametrize("options", [{"publication_name": "there"}, {"publication_autocreate_mode": "filtered"}])
def test_an_include_list_that_matches_nothing(tmp_path, locked, options):
    file = connector_file(tmp_path, "nothing", locked.port, table_include_list="public.tt", **options)
    both_say(tmp_path, file, 'no table of database "postgres" matches', "correct table.include.list")


def test_wal_level_replica(tmp_path):
    with reachable_directory() as directory:
        server = postgres_in(directory / "server", wal_level="replica")
        try:
            server.psql("CREATE TABLE t (id int PRIMARY KEY)")
            file = connector_file(tmp_path, "level", server.port)
            both_say(tmp_path, file, "wal_level = replica", "ALTER SYSTEM SET wal_level = logical", "restart")
        finally:
            server.stop()


def test_no_server_at_the_port(tmp_path):
    """Passing trouble: it goes on trying, and is well as soon as the server is there."""
    port = free_port()
    file = connector_file(tmp_path, "away", port)
    both_say(tmp_path, file, f"connecting to Postgres at 127.0.0.1:{port}", "Connection refused", state="retrying")


def test_a_slot_that_was_dropped_while_stopped(tmp_path, locked):
    file = connector_file(tmp_path, "gone", locked.port)
    with started(tmp_path, file) as server:
        wait_until(lambda: status_of(server)["state"] == "streaming", 30, "streaming")
    locked.psql("SELECT pg_drop_replication_slot('gone')")
    with started(tmp_path, file) as server:
        error = error_of(server)
    assert 'slot "gone"' in error and "was dropped" in error and "give the connector a new slot.name" in error


def test_a_slot_that_was_dropped_while_running(tmp_path, locked):
    file = connector_file(tmp_path, "torn", locked.port)
    with started(tmp_path, file) as server:
        wait_until(lambda: status_of(server)["state"] == "streaming", 30, "streaming")
        locked.psql(
            "DO $$ BEGIN PERFORM pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'torn';"
            "WHILE (SELECT active FROM pg_replication_slots WHERE slot_name = 'torn') LOOP PERFORM pg_sleep(0.001); END LOOP;"
            "PERFORM pg_drop_replication_slot('torn'); END $$"
        )
        error = error_of(server)
    assert 'slot "torn"' in error and "was dropped" in error and "give the connector a new slot.name" in error


@contextlib.contextmanager
def other_reader(postgres, slot):
    """pg_recvlogical that holds the slot."""
    postgres.psql(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    postgres.psql("CREATE PUBLICATION other FOR ALL TABLES")
    command = ["pg_recvlogical", "-h", "127.0.0.1", "-p", str(postgres.port), "-U", "postgres", "-d", "postgres"]
    command += ["-S", slot, "--start", "-f", "/dev/null", "-o", "proto_version=1", "-o", "publication_names=other"]
    reader = subprocess.Popen(command)
    try:
        active = f"SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'"
        wait_until(lambda: postgres.psql(active) == "t", 30, "the other reader")
        yield
    finally:
        reader.terminate()
        reader.wait()


def test_a_slot_in_use_by_another_consumer(tmp_path, postgres):
    postgres.psql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    file = connector_file(tmp_path, "taken", postgres.port)
    parts = ('slot "taken" is in use by the process with PID', "stop the other connector, or choose another slot.name")
    with other_reader(postgres, "taken"):
        both_say(tmp_path, file, *parts, state="retrying")
    with started(tmp_path, file) as server:
        wait_until(lambda: status_of(server)["state"] == "streaming", 30, "streaming once the slot is free")
