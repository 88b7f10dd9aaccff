"""The part of bench/run that gives one node very many partitions: time to create them, memory, restart, metadata.

Topics of 1,000 partitions, created one request after the other; then 16 small records in each partition; then the server
is idle, is stopped and started, and killed and started.
"""

import asyncio
import os
import shutil
import time
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from figures import markdown
from servers import CLIENT, KafkaServer, OurServer, run_json, say, settle

PER_TOPIC = 1000
COMPACTED_S = 65  # object.interval.ms and some: what was written is sorted by then, and its slots are gone
PER_PARTITION = 16  # records of 100 bytes, as many as the load program sends in one run


async def create_topics(address, count):
    admin = AIOKafkaAdminClient(bootstrap_servers=address, request_timeout_ms=120_000)
    await admin.start()
    slowest = 0
    for n in range(count):
        begin = time.monotonic()
        answer = await admin.create_topics([NewTopic(f"t{n}", PER_TOPIC, 1)], timeout_ms=60_000)
        slowest = max(slowest, time.monotonic() - begin)
        if answer.topic_errors[0][1] != 0:
            raise RuntimeError(f"creating t{n}: {answer.topic_errors[0]}")
    await admin.close()
    return slowest


def fill(server, topics):
    for n in range(topics):
        run_json(CLIENT, "produce", server.address, f"t{n}", PER_TOPIC * PER_PARTITION, 100, 0, "acks=all")


def restart(server, topics):
    """Seconds from its start to ready, to a first record acknowledged, and to a first one read."""
    begin = time.monotonic()
    server.start()
    ready = time.monotonic() - begin
    run_json(CLIENT, "produce", server.address, f"t{topics - 1}", 1, 100, 0, "acks=all", "linger.ms=0")
    produced = time.monotonic() - begin
    run_json(CLIENT, "consume", server.address, "t0", 1)
    fetched = time.monotonic() - begin
    return {"ready": ready, "produce": produced, "fetch": fetched, "rss": server.resident_mib(), "cpu": server.cpu_seconds()}


def idle(server, seconds):
    """CPU seconds a minute and, of ours, requests to the bucket an hour."""
    time.sleep(COMPACTED_S)
    settle(server, 60)
    cpu, begin = server.cpu_seconds(), time.monotonic()
    before = requests_of(server)
    time.sleep(seconds)
    took = time.monotonic() - begin
    seen = {"cpu": (server.cpu_seconds() - cpu) / took * 60, "rss": server.resident_mib()}
    if before is not None:
        seen["requests"] = (requests_of(server) - before) / took * 3600
    return seen


def requests_of(server):
    if not isinstance(server, OurServer):
        return None
    return sum(value for (name, _), value in server.metrics().items() if name == "millrace_object_requests_total")


def bytes_below(directory):
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(directory) for name in names)


def metadata_mib(server):
    """What the cluster's facts take in the bucket, and in Kafka's metadata topic."""
    if isinstance(server, OurServer):
        return bytes_below(Path(server.directory) / "bucket" / "meta") / (1 << 20)
    return bytes_below(Path(server.directory) / "logs" / "__cluster_metadata-0") / (1 << 20)


def one(kind, directory, partitions, size):
    topics = partitions // PER_TOPIC
    server = kind(directory, "relaxed")
    server.start()
    seen = {"partitions": partitions, "empty_rss": server.resident_mib()}
    try:
        say(f"   {server.name}: creating")
        cpu, begin = server.cpu_seconds(), time.monotonic()
        seen["slowest"] = asyncio.run(create_topics(server.address, topics))
        seen["create_s"], seen["create_cpu"] = time.monotonic() - begin, server.cpu_seconds() - cpu
        seen["created_rss"] = server.resident_mib()
        say(f"   {server.name}: {PER_PARTITION} records in each partition")
        begin = time.monotonic()
        fill(server, topics)
        seen["fill_s"] = time.monotonic() - begin
        seen["idle"] = idle(server, min(60, size["idle_s"]))
        seen["metadata_mib"] = metadata_mib(server)
        say(f"   {server.name}: restarts")
        begin = time.monotonic()
        server.stop()
        seen["stop_s"] = time.monotonic() - begin
        seen["restart"] = restart(server, topics)
        kill(server)
        seen["after_kill"] = restart(server, topics)
    finally:
        server.stop()
    return seen


def kill(server):
    if isinstance(server, OurServer):
        return server.process.kill9()
    os.kill(server.pid, 9)
    while Path(f"/proc/{server.pid}").exists():  # not our child: nobody tells
        time.sleep(0.05)
    return None


def scale(size, scratch):
    seen = {}
    runs = [(OurServer, n) for n in size["partitions"]] + [(KafkaServer, n) for n in size["peer_partitions"]]
    for kind, partitions in runs:
        name = f"{kind.name}, {partitions:,}"
        say(f"== scale: {name} partitions")
        directory = Path(scratch) / f"scale-{kind.name}-{partitions}"
        directory.mkdir()
        seen[name] = one(kind, directory, partitions, size)
        shutil.rmtree(directory, ignore_errors=True)
    return seen


ROWS = [
    ("resident MiB, empty", lambda s: f"{s['empty_rss']:.0f}"),
    ("create all, s", lambda s: f"{s['create_s']:.1f}"),
    ("... slowest request of 1,000, s", lambda s: f"{s['slowest']:.2f}"),
    ("... server CPU-s", lambda s: f"{s['create_cpu']:.1f}"),
    ("resident MiB, created", lambda s: f"{s['created_rss']:.0f}"),
    (f"{PER_PARTITION} records into each, s", lambda s: f"{s['fill_s']:.1f}"),
    ("resident MiB after it, idle", lambda s: f"{s['idle']['rss']:.0f}"),
    ("CPU-s a minute, idle", lambda s: f"{s['idle']['cpu']:.2f}"),
    ("requests to the bucket an hour, idle", lambda s: f"{s['idle']['requests']:.0f}" if "requests" in s["idle"] else ""),
    ("metadata MiB", lambda s: f"{s['metadata_mib']:.1f}"),
    ("stop, s", lambda s: f"{s['stop_s']:.1f}"),
    ("start to ready, s", lambda s: f"{s['restart']['ready']:.1f}"),
    ("... to a first record acknowledged, s", lambda s: f"{s['restart']['produce']:.1f}"),
    ("... to a first record read, s", lambda s: f"{s['restart']['fetch']:.1f}"),
    ("... server CPU-s until then", lambda s: f"{s['restart']['cpu']:.1f}"),
    ("resident MiB then", lambda s: f"{s['restart']['rss']:.0f}"),
    ("start after kill -9 to ready, s", lambda s: f"{s['after_kill']['ready']:.1f}"),
    ("... to a first record acknowledged, s", lambda s: f"{s['after_kill']['produce']:.1f}"),
    ("resident MiB then", lambda s: f"{s['after_kill']['rss']:.0f}"),
]


def scale_table(seen):
    rows = [[title, *(cell(s) for s in seen.values())] for title, cell in ROWS]
    return markdown("Many partitions on one node", ["measure", *seen], rows)


PARTS = {"scale": (scale, scale_table)}
