"""The fixtures themselves: what every other integration test stands on."""

import json
import urllib.request


def test_millrace_starts_answers_and_stops(millrace):
    assert set(millrace.addresses) >= {"kafka", "mysql", "http"}
    with urllib.request.urlopen(f"{millrace.http}/readyz", timeout=10) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(f"{millrace.http}/api/v1/status", timeout=10) as answer:
        assert isinstance(json.load(answer), dict)


def test_millrace_keeps_its_ports_over_kill_9(millrace):
    before = dict(millrace.addresses)
    millrace.restart(hard=True)
    assert millrace.addresses == before


def test_postgres_has_logical_decoding(postgres):
    assert postgres.psql("show wal_level") == "logical"
    postgres.psql("create table t (id int primary key); insert into t select generate_series(1, 3)")
    with postgres.connect() as link, link.cursor() as cursor:
        cursor.execute("select count(*) from t")
        assert cursor.fetchone() == (3,)


def test_kafka_tools_run(kafka_tools):
    assert "--bootstrap-server" in kafka_tools.run("topics", "--help", check=False).stderr
