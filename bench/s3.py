"""The parts of bench/run on an S3 server (versitygw on this machine): ack, ingest, requests.

ack       one producer at a low rate, each record acknowledged alone, beside PUTs of a slot's size at the same rate
ingest    producing at full speed, beside a loop of PUTs of a slot's size, as many at once as we have at most
requests  what is asked of the store per GiB written and read and per idle hour, and what S3 would charge for it
"""

import contextlib
import re
import time
from collections import Counter
from pathlib import Path

from figures import markdown, median, ratio, spread
from servers import CLIENT, GIB, PARTITIONS, RECORD, OurServer, Store, consume, produce, run_json, say

ACK_RATE = 20  # below the budget of PUTs that an idle cluster has
PUTS_IN_FLIGHT = 16  # wal.puts.inflight, as shipped
# S3 Standard, us-east-1, USD for one request. Deletes are free.
PRICES = {"PUT": 0.005e-3, "POST": 0.005e-3, "LIST": 0.005e-3, "GET": 0.0004e-3, "HEAD": 0.0004e-3, "DELETE": 0.0}
HOURS_PER_MONTH = 730
# The names of the store's log, where they are not the method.
METHODS = {"PutObject": "PUT", "UploadPart": "PUT", "CreateMultipartUpload": "POST", "CompleteMultipartUpload": "POST", "GetObject": "GET",
           "HeadObject": "HEAD", "ListObjectsV2": "LIST", "DeleteObject": "DELETE", "AbortMultipartUpload": "DELETE", "DeleteObjects": "DELETE"}
SPARING = 4  # wal.puts.per.second of a cluster that saves requests
PUT_BYTES = ("millrace_object_bytes_total", '{op="put_if_absent"}')
PUT_COUNT = ("millrace_object_requests_total", '{op="put_if_absent",result="ok"}')


@contextlib.contextmanager
def store_in(scratch, name, **options):
    directory = Path(scratch) / name
    directory.mkdir()
    store = Store(directory, **options)
    try:
        yield store
    finally:
        store.stop()


@contextlib.contextmanager
def ours_on(store, directory, *arguments):
    server = OurServer(directory, "s3", *arguments, store=store)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def change(server, action):
    """The action's result and by how much each metric grew meanwhile."""
    before = server.metrics()
    result = action()
    after = server.metrics()
    return result, {key: value - before.get(key, 0) for key, value in after.items()}


# ------------------------------------------------------------------------------------------------ ack


def ack(size, scratch):
    rounds = {"ack": [], "PUT": []}
    seconds = size["ack_s"]
    with store_in(scratch, "ack") as store, ours_on(store, Path(scratch) / "ack-ours") as server:
        run_json(CLIENT, "create", server.address, "t", 1)

        def acks(duration):
            command = [CLIENT, "produce", server.address, "t", ACK_RATE * duration, RECORD, ACK_RATE]
            return run_json(*command, "acks=all", "linger.ms=0")

        _, grown = change(server, lambda: acks(2))  # connections and code warm: not measured
        slot = round(grown[PUT_BYTES] / grown[PUT_COUNT])
        store.put_loop("puts", slot, 1, ACK_RATE, 2)
        for number in range(size["rounds"]):
            say(f"== ack, round {number + 1} of {size['rounds']}")
            for kind in ("ack", "PUT") if number % 2 == 0 else ("PUT", "ack"):
                rounds[kind].append(acks(seconds) if kind == "ack" else store.put_loop("puts", slot, 1, ACK_RATE, seconds))
    return {"slot_bytes": slot, "rounds": rounds}


def ack_table(record):
    ours, theirs = record["rounds"]["ack"], record["rounds"]["PUT"]
    rows = []
    for key, title in (("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"), ("max_ms", "longest ms")):
        a, b = [r[key] for r in ours], [r[key] for r in theirs]
        rows.append([title, spread(a, 2), spread(b, 2), ratio(a, b)])
    title = f"Acknowledged by a WAL on S3: {ACK_RATE} records of {RECORD} bytes a second, one by one"
    return markdown(title, ["measure", "Millrace, acks=all", f"one PUT of {record['slot_bytes']} bytes", "Millrace / PUT"], rows)


# --------------------------------------------------------------------------------------------- ingest


def ingest_ours(store, directory, records):
    with ours_on(store, directory) as server:
        run_json(CLIENT, "create", server.address, "warm", PARTITIONS)
        produce(server, "warm", records // 10)
        run_json(CLIENT, "create", server.address, "t", PARTITIONS)
        stored = store.cpu_seconds()
        result, grown = change(server, lambda: produce(server, "t", records))
        result["store_cpu_s_per_gib"] = (store.cpu_seconds() - stored) / (records * RECORD / GIB)
        result["slot_bytes"] = grown["millrace_storage_slot_bytes_total", ""] / grown["millrace_storage_slots_total", ""]
        return result


def ingest_puts(store, slot, seconds):
    stored = store.cpu_seconds()
    result = store.put_loop("puts", slot, PUTS_IN_FLIGHT, 0, seconds)
    gib = result["puts"] * slot / GIB
    result["store_cpu_s_per_gib"] = (store.cpu_seconds() - stored) / gib
    store.empty("puts")
    return result


def ingest(size, scratch):
    rounds = {"ingest": [], "puts": []}
    with store_in(scratch, "ingest") as store:
        for number in range(size["rounds"]):
            say(f"== ingest, round {number + 1} of {size['rounds']}")
            ours = ingest_ours(store, Path(scratch) / f"ingest-{number}", size["s3_records"])
            store.empty(f"ingest-{number}")
            rounds["ingest"].append(ours)
            rounds["puts"].append(ingest_puts(store, round(ours["slot_bytes"]), max(2, ours["seconds"])))
    return rounds


def ingest_table(rounds):
    ours, puts = rounds["ingest"], rounds["puts"]
    rows = []
    for key, title, digits in (("mb_per_s", "MB/s", 0), ("store_cpu_s_per_gib", "the store's CPU-s/GiB", 2), ("cpu_s_per_gib", "our CPU-s/GiB", 2)):
        a, b = [r[key] for r in ours], [r.get(key, 0) for r in puts]
        rows.append([title, spread(a, digits), spread(b, digits) if any(b) else "", ratio(a, b) if any(b) else ""])
    slot = median([r["slot_bytes"] for r in ours]) / (1 << 20)
    head = ["measure", "Millrace", f"PUTs of {slot:.1f} MiB, {PUTS_IN_FLIGHT} at once", "Millrace / PUTs"]
    return markdown("Full speed into S3", head, rows)


# ------------------------------------------------------------------------------------------- requests


class Requests:
    """What brokers asked of the store, by method: by their own count, and by the store's access log."""

    def __init__(self, store, servers):
        self.store, self.servers = store, servers
        self.restart()

    def own(self):
        total = Counter()
        for server in self.servers:
            for (name, labels), value in server.metrics().items():
                if name == "millrace_object_s3_requests_total":
                    total[re.search(r'method="(\w+)"', labels).group(1)] += round(value)
        return total

    def logged(self):
        found = Counter()
        with self.store.access_log.open(errors="replace") as log:
            log.seek(self.position)
            for line in log:
                if operation := re.search(r" s3_(\w+) ", line):
                    found[METHODS.get(operation.group(1), operation.group(1))] += 1
        return found

    def restart(self):
        self.position = self.store.access_log.stat().st_size if self.store.access_log.exists() else 0
        self.before = self.own()

    def quiet(self, for_s, timeout_s=300):
        """Until nothing was written or removed for `for_s` seconds: compaction and collection belong to the load."""

        def writes():
            return {method: n for method, n in self.own().items() if method not in ("GET", "HEAD", "LIST")}

        seen, since, end = writes(), time.monotonic(), time.monotonic() + timeout_s
        while time.monotonic() < end and time.monotonic() - since < for_s:
            time.sleep(1)
            if (now := writes()) != seen:
                seen, since = now, time.monotonic()

    def taken(self):
        own = self.own() - self.before
        return {"own": dict(own), "logged": dict(self.logged())}


def requests(size, scratch):
    record = {}
    gib = size["requests_gib"]
    records = int(gib * GIB / RECORD)
    with store_in(scratch, "requests", access_log=True) as store:
        for name, rate, options in (
            ("at 10 MB/s", 10_000_000 // RECORD, ()),
            (f"at 10 MB/s, wal.puts.per.second={SPARING}", 10_000_000 // RECORD, (f"wal.puts.per.second={SPARING}",)),
            ("at full speed", 0, ()),
        ):
            say(f"== requests: {gib} GiB {name}")
            sets = [x for option in (*options, *size["requests_settings"]) for x in ("--set", option)]
            with ours_on(store, Path(scratch) / f"requests-{len(record)}", *sets) as server:
                record |= write_and_read(Requests(store, [server]), server, name, records, rate, size)
        record |= idle(size, scratch, store)
    return record


def write_and_read(asked, server, name, records, rate, size):
    gib = records * RECORD / GIB
    run_json(CLIENT, "create", server.address, "t", PARTITIONS)
    asked.restart()
    result = produce(server, "t", records, rate, ("linger.ms=1",) if rate else ())
    asked.quiet(size["quiet_s"])
    record = {f"write {name}": {**asked.taken(), "gib": gib, **({"p50_ms": result["p50_ms"], "p99_ms": result["p99_ms"]} if rate else {})}}
    if not rate:
        server.process.restart()  # nothing in memory
        server.address, server.pid = server.process.kafka, server.process.pid
        asked.restart()
        consume(server, "t", records)
        record["read it from the store"] = {**asked.taken(), "gib": gib}
    return record


def idle(size, scratch, store):
    record = {}
    for count in (1, 3):
        say(f"== requests: {count} idle for {size['idle_s']} s")
        with contextlib.ExitStack() as stack:
            servers = []
            for n in range(count):
                directory = Path(scratch) / f"idle-{count}"
                sets = [x for option in size["requests_settings"] for x in ("--set", option)]
                server = OurServer(directory, "s3", "--node-id", str(n + 1), *sets, store=store)
                server.process.directory.mkdir(exist_ok=True)
                server.process.log_path = directory / f"{n}.log"
                server.process.ready_path = directory / f"{n}.json"
                server.start()
                stack.callback(server.stop)
                servers.append(server)
            run_json(CLIENT, "create", servers[0].address, "t", PARTITIONS)
            produce(servers[0], "t", 1000)
            asked = Requests(store, servers)
            asked.quiet(size["quiet_s"])
            asked.restart()
            begin = time.monotonic()
            time.sleep(size["idle_s"])
            record[f"idle, {count} broker{'s' if count > 1 else ''}"] = {**asked.taken(), "hours": (time.monotonic() - begin) / 3600}
    return record


def dollars(counts):
    return sum(PRICES[method] * count for method, count in counts.items())


def requests_table(record):
    methods = list(PRICES)
    rows = []
    for name, seen in record.items():
        unit = seen.get("gib") or seen["hours"]
        own = seen["own"]
        cells = [f"{own.get(m, 0) / unit:.0f}" for m in methods]
        cost = dollars(own) / unit
        money = f"{cost:.4f} $/GiB" if "gib" in seen else f"{cost * HOURS_PER_MONTH:.2f} $/month"
        same = "the same" if own == seen["logged"] else ", ".join(f"{m} {n / unit:.0f}" for m, n in seen["logged"].items()) or "none"
        latency = f"{seen['p50_ms']:.0f} / {seen['p99_ms']:.0f}" if "p50_ms" in seen else ""
        rows.append([name, "GiB" if "gib" in seen else "hour", *cells, money, latency, same])
    lines = markdown("Requests to S3", ["what", "per", *methods, "S3 would charge", "ack p50 / p99 ms", "by the store's log"], rows)
    return [*lines[:-1], "", "Prices of S3 Standard: 0.005 $ per 1,000 PUT, POST and LIST, 0.0004 $ per 1,000 GET and HEAD; DELETE is free. Idle hours are "
            f"scaled from {min(s['hours'] for s in record.values() if 'hours' in s) * 3600:.0f} s. Storage and transfer are not in this.", ""]


PARTS = {"ack": (ack, ack_table), "ingest": (ingest, ingest_table), "requests": (requests, requests_table)}
