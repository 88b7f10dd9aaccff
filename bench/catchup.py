"""The part of bench/run in which groups that lag read a whole backlog from cold while a producer goes on at its rate.

Each system: the producer alone; then the server is restarted with the page cache dropped, and ten consumer groups read
the backlog from its start while the same producer sends. How far do its percentiles move, and how fast are the groups?
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import s3
from figures import markdown, ratio, spread
from servers import CLIENT, GIB, PARTITIONS, RECORD, KafkaServer, OurServer, produce, run_json, say, settle

GROUPS = 10
RATE = 5_000  # records a second
KINDS = {"Millrace, file://?sync=off": (OurServer, "relaxed"), "Kafka as shipped": (KafkaServer, "relaxed"), "Millrace on S3": (OurServer, "s3")}


def drop_page_cache():
    """Whether this machine let us."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
    except OSError:
        return False
    return True


def start(*command):
    return subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result_of(process):
    out, error = process.communicate(timeout=600)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(process.args[:4])} failed:\n{out[-2000:]}{error[-2000:]}")
    return json.loads(out.strip().splitlines()[-1])


def producer_of(server, seconds):
    return start(CLIENT, "produce", server.address, "live", RATE * seconds, RECORD, RATE, "acks=all", "linger.ms=1")


def with_groups(server, records):
    """Ten groups read, and a producer sends until the last one is done."""
    before, begin = server.cpu_seconds(), time.monotonic()
    producer = producer_of(server, 3600)
    options = ("auto.offset.reset=earliest", "enable.auto.commit=false")
    groups = [start(CLIENT, "consume", server.address, "backlog", records, f"group.id=g{n}", *options) for n in range(GROUPS)]
    try:
        for group in groups:
            result_of(group)
        seconds = time.monotonic() - begin
        producer.send_signal(signal.SIGTERM)
        result = result_of(producer)
    finally:
        for process in (producer, *groups):
            if process.poll() is None:
                process.kill()
                process.wait()
    result["groups_mb_per_s"] = GROUPS * records * RECORD / seconds / 1e6
    result["read_cpu_s_per_gib"] = (server.cpu_seconds() - before) / (GROUPS * records * RECORD / GIB)
    result["rss_mib"] = server.resident_mib()
    return result


def one_round(server, size):
    records = int(size["catchup_gib"] * GIB / RECORD)
    for topic in ("live", "backlog"):
        run_json(CLIENT, "create", server.address, topic, PARTITIONS)
    produce(server, "backlog", records)
    settle(server, 60)
    alone = result_of(producer_of(server, size["catchup_s"]))
    server.stop()
    cold = drop_page_cache()
    server.start()
    result_of(producer_of(server, 2))  # connections and code warm: not measured
    return {"alone": alone, "with groups": with_groups(server, records), "cold": cold}


def catchup(size, scratch):
    rounds = {name: [] for name in KINDS}
    for number in range(size["rounds"]):
        for name, (kind, mode) in KINDS.items():
            say(f"== catchup, round {number + 1} of {size['rounds']}: {name}")
            directory = Path(scratch) / f"catchup-{kind.name}-{mode}-{number}".lower()
            directory.mkdir()
            with contextlib.ExitStack() as stack:
                options = {"store": stack.enter_context(s3.store_in(directory, "store"))} if mode == "s3" else {}
                server = kind(directory, mode, **options)
                server.start()
                stack.callback(server.stop)
                rounds[name].append(one_round(server, size))
            shutil.rmtree(directory, ignore_errors=True)
    return rounds


def catchup_table(rounds):
    rows = []
    for key, title in (("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"), ("p999_ms", "p99.9 ms")):
        alone, loaded = ({name: [r[when][key] for r in runs] for name, runs in rounds.items()} for when in ("alone", "with groups"))
        rows.append([f"produce, alone: {title}", *(spread(alone[name], 2) for name in rounds)])
        rows.append([f"produce, {GROUPS} groups read: {title}", *(spread(loaded[name], 2) for name in rounds)])
        rows.append(["... moves by", *(ratio(loaded[name], alone[name]) for name in rounds)])
    for key, title, digits in (("groups_mb_per_s", "the groups together, MB/s", 0), ("read_cpu_s_per_gib", "server CPU-s/GiB read", 2),
                               ("rss_mib", "resident MiB after it", 0)):
        rows.append([title, *(spread([r["with groups"][key] for r in runs], digits) for runs in rounds.values())])
    lines = markdown(f"{GROUPS} groups catch up from cold while {RATE} records a second are produced", ["measure", *rounds], rows)
    warm = not all(r["cold"] for runs in rounds.values() for r in runs)
    return [*lines[:-1], "", "The page cache could not be dropped on this machine: only the servers' own memory was cold.", ""] if warm else lines


PARTS = {"catchup": (catchup, catchup_table)}
