"""Real MySQL clients against the SQL front: mariadb CLI, PyMySQL, SQLAlchemy, mysql2 (node), Connector/J.

Each test makes a database of its own. MILLRACE_MYSQL=HOST:PORT points them at a server that runs already;
without it they start one.
"""

import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import uuid
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pymysql
import pytest
import sqlalchemy

from harness import ROOT, wait_until

HERE = Path(__file__).resolve().parent
NODE_MODULES = ROOT / "test" / "node" / "node_modules"
CONNECTOR_J = ROOT / ".peers" / "kafka" / "mysql-jdbc"


@pytest.fixture(scope="module")
def address(request):
    if given := os.environ.get("MILLRACE_MYSQL"):
        host, _, port = given.rpartition(":")
        return host, int(port)
    return request.getfixturevalue("shared_millrace").mysql


@pytest.fixture
def connect(address):
    """A factory of PyMySQL connections that are closed after the test."""
    made = []

    def make(**options):
        made.append(pymysql.connect(host=address[0], port=address[1], user="root", **options))
        return made[-1]

    yield make
    for one in made:
        if one.open:
            one.close()


@pytest.fixture
def shop(connect):
    """A database with a table of every common type and two rows; its name."""
    name = "shop_" + uuid.uuid4().hex[:8]
    with connect().cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        cursor.execute(f"USE {name}")
        cursor.execute(
            "CREATE TABLE t (id BIGINT NOT NULL, name VARCHAR(20), price DECIMAL(10, 2), ok TINYINT(1), rate DOUBLE, "
            "d DATE, at DATETIME(6), n INT, PRIMARY KEY (id)) DISTRIBUTED BY HASH(id)"
        )
        cursor.execute(
            "INSERT INTO t VALUES (1, 'ann', 10.50, 1, 0.25, '2024-01-31', '2024-01-31 10:11:12.5', 3), "
            "(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
        )
    yield name
    with connect().cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name}")


def value_of(cursor, sql, *arguments):
    cursor.execute(sql, arguments or None)
    return cursor.fetchone()[0]


def error_code(cursor, sql):
    with pytest.raises(pymysql.Error) as caught:
        cursor.execute(sql)
    return caught.value.args[0]


def test_mariadb_cli(address, shop):
    statements = f"USE {shop}; SHOW TABLES; SELECT id, name FROM t ORDER BY id; DESCRIBE t; SELECT 'ä', NULL, @@version"
    done = subprocess.run(
        ["mariadb", f"-h{address[0]}", f"-P{address[1]}", "-uroot", "--skip-ssl", "--batch", "-e", statements],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert f"Tables_in_{shop}\nt\n" in done.stdout
    assert "id\tname\n1\tann\n2\tNULL\n" in done.stdout
    assert "price\tdecimal(10,2)\tYES" in done.stdout
    assert "ä\tNULL\t8.0.33-millrace" in done.stdout


def test_pymysql_reads_every_type(connect, shop):
    with connect(database=shop).cursor() as cursor:
        cursor.execute("SELECT * FROM t ORDER BY id")
        at = datetime(2024, 1, 31, 10, 11, 12, 500000)
        assert cursor.fetchall() == (
            (1, "ann", Decimal("10.50"), 1, 0.25, date(2024, 1, 31), at, 3),
            (2, None, None, None, None, None, None, None),
        )
        assert value_of(cursor, "SELECT name FROM t WHERE id = %s", 1) == "ann"
        assert cursor.execute("DELETE FROM t WHERE id = 2") == 1
        assert value_of(cursor, "SELECT ROW_COUNT()") == 1


def test_results_that_differ_silently_in_other_engines(connect, shop):
    expected = {
        "SELECT 1 / 0": None,
        "SELECT CONCAT('a', NULL)": None,
        "SELECT GREATEST(1, NULL)": None,
        "SELECT LENGTH('ä')": 2,
        "SELECT DAYOFWEEK('2024-01-02')": 3,
        "SELECT WEEKDAY('2024-01-02')": 1,
        "SELECT 1 || 0": 1,
        "SELECT TRUE + 1": 2,
        "SELECT '1' + 1": 2,
        "SELECT 7 DIV 2": 3,
        "SELECT DATE_FORMAT('2024-01-31 10:11:12', '%Y/%c/%e %H:%i')": "2024/1/31 10:11",
        "SELECT DATE_ADD('2024-01-31', INTERVAL 1 MONTH)": date(2024, 2, 29),
        "SELECT n FROM t ORDER BY n LIMIT 1": None,
        "SELECT GROUP_CONCAT(id ORDER BY id DESC SEPARATOR '-') FROM t": "2-1",
        "SELECT COUNT(DISTINCT id, name) FROM t": 1,
        "SELECT SUBSTRING_INDEX('a.b.c', '.', -2)": "b.c",
        "SELECT FROM_UNIXTIME(1704164645)": datetime(2024, 1, 2, 3, 4, 5),
        "SELECT FROM_UNIXTIME(1704164645, '%Y')": "2024",
        "SELECT EXTRACT(YEAR_MONTH FROM '2024-02-03')": 202402,
        "SELECT EXTRACT(DAY_MINUTE FROM '2024-02-03 04:05:06')": 30405,
        "SELECT TIMESTAMP('2024-01-02', '01:00:00')": datetime(2024, 1, 2, 1),
        "SELECT MICROSECOND('10:00:00.5')": 500000,
        "SELECT HOUR('10:11:12')": 10,
        "SELECT HOUR('2024-01-02 10:11:12')": 10,
        "SELECT PERIOD_ADD(202411, 2)": 202501,
        "SELECT TO_SECONDS('2009-11-29')": 63426672000,
        "SELECT INSERT('Quadratic', 3, 4, 'What')": "QuWhattic",
        "SELECT REGEXP_INSTR('dog cat dog', 'cat')": 5,
        "SELECT INET_ATON('10.0.5.9')": 167773449,
        "SELECT INET_NTOA(167773449)": "10.0.5.9",
        "SELECT OCT(12)": "14",
        "SELECT DATE_TRUNC('month', '2024-02-10')": datetime(2024, 2, 1),
        "SELECT JSON_CONTAINS_PATH('{\"a\": 1}', 'one', '$.a')": 1,
        "SELECT IF(n IS NULL, 'none', n) FROM t WHERE id = 2": "none",
        "SELECT name FROM t GROUP BY id ORDER BY id LIMIT 1": "ann",
    }
    with connect(database=shop).cursor() as cursor:
        for sql, value in expected.items():
            assert value_of(cursor, sql) == value, sql


def test_errors_have_mysqls_codes(connect, shop):
    with connect().cursor() as cursor:
        assert error_code(cursor, "SELECT * FROM t") == 1046
        cursor.execute(f"USE {shop}")
        assert error_code(cursor, "SELEC 1") == 1064
        assert error_code(cursor, "SELECT 1 FROM") == 1064
        assert error_code(cursor, "SELECT * FROM missing") == 1146
        assert error_code(cursor, "SELECT missing FROM t") == 1054
        assert error_code(cursor, "USE missing") == 1049
        assert error_code(cursor, "SELECT @@missing") == 1193
        assert error_code(cursor, "SELECT NO_SUCH(1)") == 1305
        assert error_code(cursor, "SELECT SHA2('a', 512)") == 1235
        assert error_code(cursor, "CREATE TABLE t (id INT)") == 1050
        assert error_code(cursor, "DROP TABLE missing") in (1051, 1146)
        assert value_of(cursor, "SELECT COUNT(*) FROM t") == 2


def test_a_stranger_and_a_password_are_refused(address):
    for options in ({"user": "ann"}, {"user": "root", "password": "guess"}):
        with pytest.raises(pymysql.Error) as caught:
            pymysql.connect(host=address[0], port=address[1], **options)
        assert caught.value.args[0] == 1045


def test_sqlalchemy_reflects(address, shop):
    engine = sqlalchemy.create_engine(f"mysql+pymysql://root@{address[0]}:{address[1]}/{shop}")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE VIEW v AS SELECT name, COUNT(*) AS n FROM t GROUP BY name"))
    inspector = sqlalchemy.inspect(engine)
    assert shop in inspector.get_schema_names()
    assert inspector.get_table_names() == ["t"]
    assert inspector.get_view_names() == ["v"]
    columns = {column["name"]: column for column in inspector.get_columns("t")}
    assert list(columns) == ["id", "name", "price", "ok", "rate", "d", "at", "n"]
    assert (columns["price"]["type"].precision, columns["price"]["type"].scale) == (10, 2)
    assert columns["id"]["nullable"] is False
    assert inspector.get_pk_constraint("t")["constrained_columns"] == ["id"]
    assert [column["name"] for column in inspector.get_columns("v")] == ["name", "n"]
    assert not inspector.has_table("missing")
    table = sqlalchemy.Table("t", sqlalchemy.MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.select(table.c.name).where(table.c.id == 1)).scalar() == "ann"
    engine.dispose()


def test_mysql2_of_node(address, shop):
    if not (NODE_MODULES / "mysql2").exists():
        pytest.fail("mysql2 is missing: `tools/setup test` installs it")
    done = subprocess.run(
        ["node", HERE / "mysql2_client.js"],
        env={**os.environ, "NODE_PATH": str(NODE_MODULES), "MILLRACE_MYSQL": f"{address[0]}:{address[1]}", "DB": shop},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("all good\n")


def test_connector_j(address, shop):
    jars = sorted(CONNECTOR_J.glob("**/*.jar"))
    if not jars or not shutil.which("java"):
        pytest.fail("Connector/J is missing: `tools/setup test` installs it")
    done = subprocess.run(
        ["java", "-cp", ":".join(map(str, jars)), HERE / "ConnectorJ.java", f"{address[0]}:{address[1]}", shop],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("all good\n")


def test_kill_query_and_processlist(connect, shop):
    # A cross join that would run for hours.
    long_one = "SELECT COUNT(*) FROM generate_series(1, 10000000) a, generate_series(1, 10000000) b WHERE a.a <> b.b"
    victim, killer = connect(database=shop), connect()
    caught = []

    def run():
        try:
            victim.cursor().execute(long_one.replace("a.a <> b.b", "a <> b"))
        except pymysql.Error as error:
            caught.append(error.args[0])

    thread = threading.Thread(target=run)
    thread.start()
    with killer.cursor() as cursor:
        deadline = time.monotonic() + 20
        running = []
        while not running and time.monotonic() < deadline:
            cursor.execute("SHOW FULL PROCESSLIST")
            running = [row for row in cursor.fetchall() if "generate_series" in (row[7] or "")]
        assert running, "the query is not in the process list"
        cursor.execute(f"KILL QUERY {running[0][0]}")
    thread.join(30)
    assert caught == [1317]
    assert value_of(victim.cursor(), "SELECT 1") == 1


def test_processlist_is_a_table_too(connect, shop):
    reader = connect(database=shop)
    other = connect()
    with reader.cursor() as cursor:
        text = f"SELECT id, db, info FROM information_schema.processlist WHERE db = '{shop}' AND command = 'Query'"
        cursor.execute(text)
        assert cursor.fetchall() == ((reader.thread_id(), shop, text),)
        sleeping = "SELECT COUNT(*) FROM information_schema.processlist p WHERE p.id = %s AND p.command = 'Sleep'"
        assert value_of(cursor, sleeping, other.thread_id()) == 1
        cursor.execute(f"KILL {other.thread_id()}")
        with pytest.raises(pymysql.Error):
            other.ping(reconnect=False)
        assert error_code(cursor, "CREATE VIEW v AS SELECT id FROM information_schema.processlist") == 1235
        assert error_code(cursor, "KILL 4000000000") == 1094


def test_routine_loads_need_no_current_database(connect, shop):
    job = "job_" + uuid.uuid4().hex[:8]
    with connect().cursor(pymysql.cursors.DictCursor) as cursor:
        cursor.execute(f'CREATE ROUTINE LOAD {shop}.{job} ON t FROM KAFKA ("kafka_topic" = "no_{job}")')
        for sql in (
            "SHOW ROUTINE LOAD",
            f"SHOW ROUTINE LOAD LIKE '{job}'",
            f"SHOW ROUTINE LOAD FROM {shop}",
            f"SHOW ROUTINE LOAD FOR {job}",
            f"SHOW ROUTINE LOAD FOR {shop}.{job}",
        ):
            cursor.execute(sql)
            assert (shop, job, "t") in [(row["DbName"], row["Name"], row["TableName"]) for row in cursor.fetchall()], sql
        assert error_code(cursor, f"CREATE ROUTINE LOAD {job} ON t FROM KAFKA (\"kafka_topic\" = \"x\")") == 1046
        assert error_code(cursor, "SHOW ROUTINE LOAD FOR missing") == 1105
        cursor.execute(f"STOP ROUTINE LOAD FOR {shop}.{job}")


def test_control_c_in_the_mariadb_cli_stops_the_query(address, connect):
    text = "SELECT COUNT(*) FROM generate_series(1, 9000000) AS a(x), generate_series(1, 9000000) AS b(y) WHERE x <> y + 2"
    client = subprocess.Popen(
        ["mariadb", f"-h{address[0]}", f"-P{address[1]}", "-uroot", "--skip-ssl", "--batch", "-e", text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with connect().cursor() as cursor:

            def running():
                cursor.execute("SHOW FULL PROCESSLIST")
                return any("y + 2" in (row[7] or "") for row in cursor.fetchall())

            wait_until(running, 20, "the query in the process list")
            client.send_signal(signal.SIGINT)
            errors = client.communicate(timeout=30)[1]
            assert "1317" in errors and "interrupted" in errors, errors
            assert not running()
    finally:
        client.kill()
        client.wait()


def test_a_client_that_vanishes_has_its_query_stopped(connect, shop):
    client, watcher = connect(database=shop), connect()
    text = "SELECT COUNT(*) FROM generate_series(1, 9000000) AS a(x), generate_series(1, 9000000) AS b(y) WHERE x <> y + 1"
    client._execute_command(3, text)
    with watcher.cursor() as cursor:

        def running():
            cursor.execute("SHOW FULL PROCESSLIST")
            return any("y + 1" in (row[7] or "") for row in cursor.fetchall())

        for wanted in (True, False):
            deadline = time.monotonic() + 20
            while running() is not wanted:
                assert time.monotonic() < deadline, f"running() is not {wanted}"
            if wanted:
                client._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client._force_close()


def test_max_execution_time_and_query_timeout(connect):
    with connect().cursor() as cursor:
        text = "SELECT COUNT(*) FROM generate_series(1, 10000000) a, generate_series(1, 10000000) b WHERE a <> b"
        for limit in ("max_execution_time = 200", "max_execution_time = 0, query_timeout = 1"):
            cursor.execute(f"SET {limit}")
            assert error_code(cursor, text) == 3024
        cursor.execute("SET query_timeout = 0")
        assert value_of(cursor, "SELECT 1") == 1


@pytest.mark.parametrize(
    "bytes_sent",
    [b"GET / HTTP/1.1\r\n\r\n", b"\xff\xff\xff\x01" + b"x" * 100_000, b"\x00\x00\x00\x01", bytes(5000), os.urandom(5000)],
    ids=["http", "huge", "empty", "zeros", "random"],
)
def test_garbage_loses_its_connection_only(address, connect, bytes_sent):
    with socket.create_connection(address, timeout=20) as stranger:
        stranger.recv(1000)
        stranger.sendall(bytes_sent)
        try:
            while stranger.recv(1000):
                pass
        except ConnectionResetError:
            pass
    assert value_of(connect().cursor(), "SELECT 1") == 1


def test_a_message_of_20_mib_and_a_result_of_20_mib(connect):
    with connect(max_allowed_packet=64 << 20).cursor() as cursor:
        text = "x" * (20 << 20)
        cursor.execute(f"SELECT '{text}' AS long_text")
        assert cursor.fetchone()[0] == text


def test_multi_statements_and_transactions(connect, shop):
    from pymysql.constants import CLIENT

    connection = connect(database=shop, client_flag=CLIENT.MULTI_STATEMENTS)
    with connection.cursor() as cursor:
        cursor.execute("SET @a = 5; SELECT @a + 1; SELECT COUNT(*) FROM t")
        assert cursor.nextset() and cursor.fetchone()[0] == 6
        assert cursor.nextset() and cursor.fetchone()[0] == 2
        assert not cursor.nextset()
        connection.begin()
        assert value_of(cursor, "SELECT COUNT(*) FROM t") == 2
        connection.rollback()
        cursor.execute("PREPARE p FROM 'SELECT id FROM t WHERE id = ?'; SET @id = 1; EXECUTE p USING @id")
        assert cursor.nextset() and cursor.nextset() and cursor.fetchone()[0] == 1
