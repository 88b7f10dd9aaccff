"""Postgres to MySQL protocol through the log: every type arrives, and kill -9 of everything in the middle costs nothing.

The last word is always the same: each table read over the MySQL port equals the table in Postgres, row for row.
"""

import os
import json
import random
import threading
import time
from decimal import Decimal

import pymysql
import pytest

from harness import wait_until

SCHEMA = """
CREATE TABLE accounts (id int PRIMARY KEY, owner text NOT NULL, balance numeric(12,2) NOT NULL, opened date NOT NULL,
  active boolean NOT NULL, seen timestamp, zoned timestamptz, ratio double precision, tags jsonb, note text);
CREATE TABLE transfers (id bigint PRIMARY KEY, source int NOT NULL, target int NOT NULL, amount numeric(12,2) NOT NULL,
  at timestamptz NOT NULL DEFAULT now());
CREATE TABLE pairs (a int, b varchar(20), n bigint NOT NULL, PRIMARY KEY (a, b));
INSERT INTO accounts SELECT i, 'owner ' || i, i * 10.25, date '2020-01-01' + i, i % 2 = 0, timestamp '2024-02-29 12:34:56.789012' + i * interval '1 second',
  timestamptz '2024-06-01 00:00:00.5Z' + i * interval '1 hour', i / 3.0, jsonb_build_object('i', i), CASE WHEN i % 5 = 0 THEN NULL ELSE 'note''s ' || i END
  FROM generate_series(1, 2000) i;
INSERT INTO pairs SELECT i, 'b' || i % 7, i FROM generate_series(1, 500) i;
"""
TABLES = {
    "accounts": "id, owner, balance, opened, active, seen, zoned, ratio, note",
    "transfers": "id, source, target, amount, at",
    "pairs": "a, b, n",
}


def connector(postgres, prefix, slot):
    return {
        "name": prefix,
        "config": {
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "plugin.name": "pgoutput",
            "database.hostname": "127.0.0.1",
            "database.port": str(postgres.port),
            "database.user": "postgres",
            "database.password": "",
            "database.dbname": "bank",
            "topic.prefix": prefix,
            "slot.name": slot,
            "publication.name": slot,
            "publication.autocreate.mode": "filtered",
            "table.include.list": ",".join(f"public.{table}" for table in TABLES),
            "key.converter.schemas.enable": "false",
            "value.converter.schemas.enable": "false",
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        },
    }


@pytest.fixture
def bank(postgres):
    postgres.psql("CREATE DATABASE bank")
    postgres.psql(SCHEMA, database="bank")
    return postgres


def connector_file(directory, postgres, prefix="bank", slot="millrace_bank"):
    path = directory / f"{prefix}.json"
    path.write_text(json.dumps(connector(postgres, prefix, slot)))
    return path


def plain(value):
    """The same value whichever driver brought it: times in UTC without a zone, numbers as numbers."""
    if hasattr(value, "tzinfo") and value.tzinfo is not None:
        value = value.astimezone(tz=None).replace(tzinfo=None)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (float, Decimal)):
        return round(float(value), 6)
    return str(value) if value is not None and not isinstance(value, int) else value


def postgres_rows(postgres, table):
    with postgres.connect("bank") as connection, connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.execute(f"SELECT {TABLES[table]} FROM {table}")
        rows = [tuple(v.replace(tzinfo=None) if getattr(v, "tzinfo", None) else v for v in row) for row in cursor.fetchall()]
    return sorted((tuple(map(plain, row)) for row in rows), key=repr)


def sql_rows(server, table):
    host, port = server.mysql
    with pymysql.connect(host=host, port=port, user="root", database="bank") as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {TABLES[table]} FROM {table}")
        return sorted((tuple(map(plain, row)) for row in cursor.fetchall()), key=repr)


def equal(server, postgres):
    try:
        return all(sql_rows(server, table) == postgres_rows(postgres, table) for table in TABLES)
    except pymysql.err.MySQLError:
        return False  # the table is not there yet


def explain_difference(server, postgres):
    for table in TABLES:
        ours, theirs = sql_rows(server, table), postgres_rows(postgres, table)
        if ours != theirs:
            return f"{table}: {len(ours)} rows in SQL, {len(theirs)} in Postgres; only in SQL {sorted(set(ours) - set(theirs), key=repr)[:3]}, " \
                   f"only in Postgres {sorted(set(theirs) - set(ours), key=repr)[:3]}, repeated {len(ours) - len(set(ours))}"
    return "equal"


def assert_becomes_equal(server, postgres, timeout_s=60):
    try:
        wait_until(lambda: equal(server, postgres), timeout_s, "SQL to equal Postgres")
    except AssertionError:
        raise AssertionError(explain_difference(server, postgres) + "\n" + server.log()[-3000:]) from None


class Load(threading.Thread):
    """Transactions against Postgres until told to stop: several rows each, updates, deletes, a key change."""

    def __init__(self, postgres):
        super().__init__(daemon=True)
        self.postgres = postgres
        self.stopping = threading.Event()
        self.transactions = 0
        self.failure = None

    def run(self):
        choice = random.Random(7)
        next_id = 1
        try:
            connection = self.postgres.connect("bank")
            with connection.cursor() as cursor:
                while not self.stopping.is_set():
                    a, b = choice.sample(range(1, 2001), 2)
                    amount = choice.randint(1, 500)
                    cursor.execute("UPDATE accounts SET balance = balance - %s, seen = clock_timestamp() WHERE id = %s", (amount, a))
                    cursor.execute("UPDATE accounts SET balance = balance + %s WHERE id = %s", (amount, b))
                    cursor.execute("INSERT INTO transfers (id, source, target, amount) VALUES (%s, %s, %s, %s)", (next_id, a, b, amount))
                    if next_id % 7 == 0:
                        cursor.execute("DELETE FROM transfers WHERE id = %s", (next_id - 5,))
                    if next_id % 11 == 0:
                        cursor.execute("UPDATE pairs SET b = 'c' || n WHERE a = %s", (choice.randint(1, 500),))
                    if next_id % 50 == 0:
                        connection.rollback()
                    else:
                        connection.commit()
                    next_id += 1
                    self.transactions += 1
                    time.sleep(0.002)
        except Exception as error:  # shown by finish()
            self.failure = error

    def finish(self):
        self.stopping.set()
        self.join(10)
        assert self.failure is None, self.failure
        assert self.transactions > 0


def test_a_snapshot_and_changes_arrive_in_sql(bank, make_millrace, tmp_path):
    server = make_millrace("--connector", connector_file(tmp_path, bank))
    assert_becomes_equal(server, bank)
    load = Load(bank)
    load.start()
    time.sleep(3)
    load.finish()
    assert_becomes_equal(server, bank)


def test_kill_9_of_everything_20_times_loses_and_doubles_nothing(bank, make_millrace, tmp_path):
    server = make_millrace("--connector", connector_file(tmp_path, bank), "--set", "object.interval.ms=1500")
    load = Load(bank)
    load.start()
    pause = random.Random(3)
    for _ in range(int(os.environ.get("KILLS", "20"))):
        time.sleep(pause.uniform(0.1, 1.2))
        server.restart(hard=True)
    load.finish()
    assert_becomes_equal(server, bank, 90)
    assert server.stop() == 0


def test_an_empty_cache_is_rebuilt_from_bucket_and_log(bank, make_millrace, tmp_path):
    first = tmp_path / "cache-1"
    server = make_millrace("--connector", connector_file(tmp_path, bank), "--cache-dir", first)
    assert_becomes_equal(server, bank)
    host, port = server.mysql
    with pymysql.connect(host=host, port=port, user="root", database="bank") as connection, connection.cursor() as cursor:
        cursor.execute("CREATE VIEW rich AS SELECT id, balance FROM accounts WHERE balance > 1000")
        cursor.execute("SELECT count(*) FROM rich")
        rich = cursor.fetchone()
    server.kill9()
    server.arguments[server.arguments.index(str(first))] = str(tmp_path / "cache-2")
    server.start()
    assert_becomes_equal(server, bank)
    host, port = server.mysql
    with pymysql.connect(host=host, port=port, user="root", database="bank") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM rich")
        assert cursor.fetchone() == rich


def test_views_ten_deep_over_captured_tables(bank, make_millrace, tmp_path):
    server = make_millrace("--connector", connector_file(tmp_path, bank))
    assert_becomes_equal(server, bank)
    host, port = server.mysql
    with pymysql.connect(host=host, port=port, user="root", database="bank") as connection, connection.cursor() as cursor:
        cursor.execute("CREATE VIEW layer1 AS SELECT a.id, a.balance, p.n FROM accounts a JOIN pairs p ON p.a = a.id")
        for i in range(2, 11):
            cursor.execute(f"CREATE VIEW layer{i} AS SELECT l.id, l.balance + 1 AS balance, l.n FROM layer{i - 1} l JOIN accounts a ON a.id = l.id")
        cursor.execute("SELECT count(*), sum(balance) FROM layer10")
        count, total = cursor.fetchone()
    expected = bank.psql("SELECT count(*), sum(balance + 9) FROM accounts a JOIN pairs p ON p.a = a.id", database="bank")
    assert count == 500 and f"{total:.2f}" in str(expected)
