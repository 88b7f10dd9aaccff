"""The servers under test, their store, and the client programs that drive them, as all parts of bench/run use them."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from harness import Millrace

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "build" / "bench"
CLIENT, FLOOR, PUTS = OUT / "rdkafka_bench", OUT / "floor", OUT / "put_loop"
PEER = ROOT / "tools" / "peers" / "kafka-peer"
S3_PEER = ROOT / "tools" / "peers" / "s3-peer"
RECORD = 1024
PARTITIONS = 6
GIB = 1 << 30


def say(text):
    print(text, file=sys.stderr, flush=True)


def run_json(*command, timeout_s=600, env=None):
    env = {**os.environ, **(env or {})}
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout_s, env=env)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command[:4]))} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def compile_programs():
    OUT.mkdir(parents=True, exist_ok=True)
    for target, compiler, source, flags in (
        (CLIENT, "gcc", "rdkafka_bench.c", ["-lrdkafka"]),
        (FLOOR, "g++", "floor.cc", ["-std=c++23", "-msse4.2", f"-I{ROOT}"]),
        (PUTS, "g++", "put_loop.cc", ["-std=c++23", "-lcrypto", f"-I{ROOT}"]),
    ):
        path = ROOT / "bench" / source
        newest = max(source.stat().st_mtime for source in (path, *path.parent.glob("*.h")))
        if not target.exists() or target.stat().st_mtime < newest:
            subprocess.run([compiler, "-O2", "-o", str(target), str(path), *flags], check=True)


class Server:
    """A broker under test: its address and pid, and what /proc says of it."""

    name = "?"

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


class Store(Server):
    """A versitygw of its own; with `access_log` it notes each request."""

    name = "the store"

    def __init__(self, directory, access_log=False):
        self.env = {**os.environ, "S3_PEER_INSTANCE": f"bench-{os.getpid()}", "S3_PEER_DATA": f"{directory}/s3"}
        self.access_log = Path(directory) / "s3-requests.log" if access_log else None
        if access_log:
            self.env["VGW_ACCESS_LOG"] = str(self.access_log)
        lines = self.peer("start", "versitygw").splitlines()
        settings = dict(line.removeprefix("export ").partition("=")[::2] for line in lines)
        self.settings = {name: value.strip("'") for name, value in settings.items()}
        self.pid = int(self.settings["S3_PEER_PID"])
        self.port = self.settings["S3_ENDPOINT"].rpartition(":")[2]
        self.region = self.settings["AWS_REGION"]

    def peer(self, *arguments):
        return subprocess.run([S3_PEER, *arguments], env=self.env, capture_output=True, text=True, check=True, timeout=60).stdout

    def url(self, bucket):
        self.peer("bucket", bucket, "versitygw")
        return f"s3://{bucket}/log?endpoint={self.settings['S3_ENDPOINT']}&region={self.region}"

    def credentials(self):
        return {name: self.settings[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}

    def empty(self, bucket):
        shutil.rmtree(f"{self.env['S3_PEER_DATA']}/root/{bucket}", ignore_errors=True)

    def put_loop(self, bucket, size, parallel, rate, seconds):
        """What the store takes from bench/put_loop."""
        self.peer("bucket", bucket, "versitygw")
        command = [PUTS, self.port, self.region, f"{bucket}/puts-{time.monotonic_ns()}-", size, parallel, rate, seconds]
        return run_json(*command, env=self.credentials())

    def stop(self):
        self.peer("kill9", "versitygw")
        self.peer("wipe", "versitygw")


class OurServer(Server):
    name = "Millrace"

    def __init__(self, directory, mode, *arguments, store=None):
        """mode: relaxed, durable (both file://), disk (a WAL on disk), or s3, on `store`."""
        self.directory = directory
        bucket = f"file://{directory}/bucket" + ("?sync=off" if mode == "relaxed" else "")
        wal = ["--wal", f"disk:{directory}/wal"] if mode == "disk" else []
        if mode == "s3":
            bucket = store.url(re.sub(r"[^a-z0-9-]", "-", Path(directory).name.lower()))
        env = store.credentials() if store else {}
        self.process = Millrace(directory, "--roles", "broker", *wal, *arguments, bucket=bucket, env=env)

    def metrics(self):
        """(name, labels) -> value, of its /metrics; labels as they are written there, "" for none."""
        text = urllib.request.urlopen(self.process.http + "/metrics", timeout=30).read().decode()
        return {(n, labels or ""): float(v) for n, labels, v in re.findall(r"^(\w+)(\{.*\})? (\S+)$", text, re.M)}

    def start(self):
        started = time.monotonic()
        self.process.start()
        self.start_s = time.monotonic() - started
        self.address, self.pid = self.process.kafka, self.process.pid

    def stop(self):
        self.process.stop()


class KafkaServer(Server):
    name = "Kafka"

    def __init__(self, directory, mode):
        self.directory = directory
        self.settings = [f"num.partitions={PARTITIONS}"]
        if mode == "durable":
            self.settings.append("log.flush.interval.messages=1")

    def start(self):
        started = time.monotonic()
        command = [str(PEER), "start", str(self.directory), "0", *self.settings]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        self.start_s = time.monotonic() - started
        self.address = done.stdout.strip()
        self.pid = int((Path(self.directory) / "pid").read_text())

    def stop(self):
        subprocess.run([str(PEER), "stop", str(self.directory)], capture_output=True, timeout=120)


def settle(server, timeout_s=20):
    """Waits until the server has no work left: what it does behind the last ack (compaction) counts too."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        before = server.cpu_seconds()
        time.sleep(0.5)
        if server.cpu_seconds() - before < 0.05:
            return


def measured(server, gib, action):
    """Runs `action` and adds what the server used for it."""
    before = server.cpu_seconds()
    result = action()
    settle(server)
    result["cpu_s_per_gib"] = (server.cpu_seconds() - before) / gib
    result["rss_mib"] = server.resident_mib()
    return result


def produce(server, topic, records, rate=0, settings=()):
    gib = records * RECORD / GIB
    command = [CLIENT, "produce", server.address, topic, records, RECORD, rate, "acks=all", *settings]
    return measured(server, gib, lambda: run_json(*command))


def consume(server, topic, records):
    command = [CLIENT, "consume", server.address, topic, records, "fetch.message.max.bytes=1048576"]
    return measured(server, records * RECORD / GIB, lambda: run_json(*command))
