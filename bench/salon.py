#!/usr/bin/env python3
"""How long a commit in Postgres takes to be visible over the MySQL port, and what the demo's views cost beside Postgres.

  bench/freshness.py [--seconds N] [--rates 100,300]      about 2 minutes by default

Freshness of one transaction = end of the first SQL query that sees it - moment its commit was acknowledged. The reader
polls without a pause, so the figure holds one query's time. Views: the median of 15 runs each, warm, Postgres with its
default planner settings and the same private server, alternating.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test"))

import psycopg2  # noqa: E402
import pymysql  # noqa: E402
from harness import reachable_directory, wait_until  # noqa: E402

VIEWS = {
    "revenue_by_day": "SELECT day, sum(revenue) FROM {s}revenue_by_day GROUP BY day ORDER BY day DESC LIMIT 10",
    "upcoming_bookings": "SELECT starts_at, customer, merchant, total FROM {s}upcoming_bookings ORDER BY starts_at DESC, id LIMIT 10",
    "staff_ranking": "SELECT employee, merchant, stars, earned FROM {s}staff_ranking ORDER BY earned DESC, id LIMIT 10",
    "payment_log": "SELECT paid_at, customer, merchant, employee, net FROM {s}payment_log ORDER BY paid_at DESC, id DESC LIMIT 10",
}


def percentile(values, p):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * p))]


class Demo:
    """`millrace demo` without its load generator: ours follows a measured schedule."""

    def __init__(self, directory, rows):
        self.ready = directory / "ready.json"
        self.output = directory / "output"
        arguments = ["demo", "--dir", directory / "demo", "--rows", str(rows), "--rate", "0", "--ready-file", self.ready]
        for name in ("kafka", "mysql", "http"):
            arguments += [f"--{name}-listen", "127.0.0.1:0"]
        self.child = subprocess.Popen([ROOT / "build/release/millrace", *map(str, arguments)], stdout=self.output.open("wb"))
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


def write(demo, rate, seconds, committed):
    """One row of `reviews` a transaction beside two other changes; notes when each commit was acknowledged."""
    connection = demo.postgres()
    with connection.cursor() as cursor:
        begin = time.perf_counter()
        for i in range(rate * seconds):
            due = begin + i / rate
            if (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            number = 900_000_000 + len(committed)
            cursor.execute("BEGIN; SELECT demo.tick(); INSERT INTO reviews VALUES (%s, 1, 1, 5, 'freshness', now()); COMMIT", (number,))
            committed.append(time.perf_counter())
    connection.close()


def freshness(demo, rate, seconds):
    committed, seen = [], []
    postgres = demo.postgres()
    with postgres.cursor() as cursor:
        cursor.execute("DELETE FROM reviews WHERE id >= 900000000")
    with demo.mysql() as connection, connection.cursor() as cursor:
        def gone():
            cursor.execute("SELECT count(*) FROM reviews WHERE id >= 900000000")
            return cursor.fetchone()[0] == 0
        wait_until(gone, 30, "the rows of the last run to be gone")
        writer = threading.Thread(target=write, args=(demo, rate, seconds, committed))
        writer.start()
        while len(seen) < rate * seconds:
            cursor.execute("SELECT coalesce(max(id), 0) FROM reviews WHERE id >= 900000000")
            newest = cursor.fetchone()[0]
            now = time.perf_counter()
            while newest and len(seen) < newest - 900_000_000 + 1:
                seen.append(now)
            if not writer.is_alive() and time.perf_counter() - committed[-1] > 30:
                raise SystemExit(f"{len(committed) - len(seen)} of {len(committed)} commits never became visible")
        writer.join()
    delays = [1000 * (s - c) for s, c in zip(seen, committed)]
    return {p: percentile(delays, q) for p, q in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}


def timed(cursor, sql):
    begin = time.perf_counter()
    cursor.execute(sql)
    cursor.fetchall()
    return 1000 * (time.perf_counter() - begin)


def compare_views(demo):
    views = subprocess.run([ROOT / "build/release/millrace", "demo", "--print-views"], capture_output=True, text=True, check=True).stdout
    postgres = demo.postgres()
    ratios = []
    with postgres.cursor() as theirs, demo.mysql() as connection, connection.cursor() as ours:
        for statement in views.split(";\n"):
            if statement.strip():
                theirs.execute(statement)
        print(f"\n{'view':<20} {'Millrace ms':>12} {'Postgres ms':>12} {'ratio':>8}")
        for name, sql in VIEWS.items():
            mine, other = [], []
            for _ in range(15):
                mine.append(timed(ours, sql.format(s="")))
                other.append(timed(theirs, sql.format(s="salon.")))
            a, b = statistics.median(mine), statistics.median(other)
            ratios.append(b / a)
            print(f"{name:<20} {a:>12.1f} {b:>12.1f} {b / a:>7.1f}x")
    print(f"{'geometric mean':<20} {'':>12} {'':>12} {statistics.geometric_mean(ratios):>7.1f}x")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rates", default="100,300")
    parser.add_argument("--rows", type=int, default=1_050_000)
    options = parser.parse_args()
    with reachable_directory() as directory:
        demo = Demo(directory, options.rows)
        try:
            print(f"{'transactions/s':<16} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}")
            for rate in map(int, options.rates.split(",")):
                result = freshness(demo, rate, options.seconds)
                print(f"{rate:<16} {result['p50']:>8.0f} {result['p99']:>8.0f} {result['max']:>8.0f}")
            compare_views(demo)
        finally:
            demo.stop()


if __name__ == "__main__":
    main()
