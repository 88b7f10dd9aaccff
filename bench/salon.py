"""The parts of bench/run that look at the demo's salon: freshness of SQL, and its four views beside PostgreSQL.

Freshness of one transaction = end of the first SQL query that sees it - moment its COMMIT returned. The reader polls
without a pause, so the figure holds one query's time. Views: warm, alternating query by query between us and the same
PostgreSQL that is the source, with the planner as Debian ships it and fresh statistics.
"""

import contextlib
import json
import re
import subprocess
import threading
import time
from pathlib import Path

import psycopg2
import pymysql
from harness import MILLRACE, reachable_directory, wait_until

VIEWS = {
    "revenue_by_day": "SELECT day, sum(revenue) FROM {s}revenue_by_day GROUP BY day ORDER BY day DESC LIMIT 10",
    "upcoming_bookings": "SELECT starts_at, customer, merchant, total FROM {s}upcoming_bookings ORDER BY starts_at DESC, id LIMIT 10",
    "staff_ranking": "SELECT employee, merchant, stars, earned FROM {s}staff_ranking ORDER BY earned DESC, id LIMIT 10",
    "payment_log": "SELECT paid_at, customer, merchant, employee, net FROM {s}payment_log ORDER BY paid_at DESC, id DESC LIMIT 10",
}


FIRST_ID = 900_000_000  # of the reviews that are looked for: far above those of the salon
PERCENTILES = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}


class Demo:
    """`millrace demo` without its load generator: ours follows a measured schedule."""

    def __init__(self, directory, rows):
        self.ready = directory / "ready.json"
        self.output = directory / "output"
        arguments = ["demo", "--dir", directory / "demo", "--rows", str(rows), "--rate", "0", "--ready-file", self.ready]
        for name in ("kafka", "mysql", "http"):
            arguments += [f"--{name}-listen", "127.0.0.1:0"]
        self.child = subprocess.Popen([MILLRACE, *map(str, arguments)], stdout=self.output.open("wb"))
        wait_until(lambda: self.ready.exists() or self.child.poll() is not None, 300, "the demo")
        addresses = json.loads(self.ready.read_text())
        self.mysql_port = int(addresses["mysql"].rpartition(":")[2])
        wait_until(lambda: "psql" in self.output.read_text(), 10, "the instructions")
        self.postgres_port = int(re.search(r"psql -h 127.0.0.1 -p (\d+)", self.output.read_text()).group(1))

    def mysql(self):
        return pymysql.connect(host="127.0.0.1", port=self.mysql_port, user="root", database="salon", autocommit=True)

    def postgres(self):
        connection = psycopg2.connect(host="127.0.0.1", port=self.postgres_port, user="postgres", dbname="salon")
        connection.autocommit = True
        return connection

    def stop(self):
        self.child.terminate()
        self.child.wait(15)


@contextlib.contextmanager
def salon(rows):
    with reachable_directory() as directory:
        demo = Demo(directory, rows)
        try:
            yield demo
        finally:
            demo.stop()


# ------------------------------------------------------------------------------------------ freshness


def write(demo, rate, seconds, committed):
    """One transaction at each tick: a visitor's changes to two or three tables, and a review that is looked for."""
    with contextlib.closing(demo.postgres()) as connection, connection.cursor() as cursor:
        begin = time.perf_counter()
        for i in range(rate * seconds):
            due = begin + i / rate
            if (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            review = f"INSERT INTO reviews VALUES ({FIRST_ID + i}, 1, 1, 5, 'freshness', now())"
            cursor.execute(f"BEGIN; SELECT demo.tick(); {review}; COMMIT")
            committed.append(time.perf_counter())


def freshness(demo, rate, seconds):
    """{tx_per_s, p50_ms, p99_ms, max_ms} of `rate` transactions/s, and the rate that PostgreSQL kept up with."""
    committed, seen = [], []
    with contextlib.closing(demo.mysql()) as connection, connection.cursor() as cursor:

        def newest():
            cursor.execute(f"SELECT coalesce(max(id), {FIRST_ID - 1}) FROM reviews WHERE id >= {FIRST_ID}")
            return cursor.fetchone()[0] - FIRST_ID + 1

        with contextlib.closing(demo.postgres()) as postgres, postgres.cursor() as theirs:
            theirs.execute(f"DELETE FROM reviews WHERE id >= {FIRST_ID}")
        wait_until(lambda: newest() == 0, 30, "the rows of the last run to be gone")
        writer = threading.Thread(target=write, args=(demo, rate, seconds, committed), daemon=True)
        writer.start()
        while len(seen) < rate * seconds:
            count, now = newest(), time.perf_counter()
            seen += [now] * (count - len(seen))
            if not writer.is_alive() and time.perf_counter() - committed[-1] > 30:
                raise RuntimeError(f"{rate * seconds - len(seen)} of {rate * seconds} commits never became visible")
        writer.join()
    # Before the writer's thread had noted the commit: visible at once.
    delays = sorted(max(0.0, 1000 * (s - c)) for s, c in zip(seen, committed))
    at = {name: delays[min(len(delays) - 1, int(len(delays) * share))] for name, share in PERCENTILES.items()}
    return {"tx_per_s": len(committed) / (committed[-1] - committed[0]), **at}


# ---------------------------------------------------------------------------------------------- views


def timed(cursor, sql):
    begin = time.perf_counter()
    cursor.execute(sql)
    cursor.fetchall()
    return 1000 * (time.perf_counter() - begin)


def views(demo, runs=15):
    """{view: {"Millrace": [ms], "Postgres": [ms]}}: each view's query, `runs` times each, in turn."""
    statements = subprocess.run([MILLRACE, "demo", "--print-views"], capture_output=True, text=True, check=True).stdout
    with contextlib.closing(demo.postgres()) as theirs, contextlib.closing(demo.mysql()) as ours:
        with theirs.cursor() as postgres, ours.cursor() as millrace:
            for statement in statements.split(";\n"):
                if statement.strip():
                    postgres.execute(statement)
            postgres.execute("ANALYZE")
            results = {}
            for name, sql in VIEWS.items():
                pairs = ((millrace, sql.format(s="")), (postgres, sql.format(s="salon.")))
                for cursor, text in pairs:
                    timed(cursor, text)  # warm
                times = [[timed(cursor, text) for cursor, text in pairs] for _ in range(runs)]
                results[name] = {"Millrace": [t[0] for t in times], "Postgres": [t[1] for t in times]}
            return results
