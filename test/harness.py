"""What the integration tests start and stop: Millrace itself, a private PostgreSQL, Kafka's own tools.

Everything listens on loopback, on ports that the kernel chose, keeps its files below pytest's temporary
directory, and is stopped by its pid. Build first: `make build`; install first: `tools/setup demo test`.
"""

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MILLRACE = Path(os.environ.get("BINARY_UNDER_TEST", ROOT / "build" / "release" / "millrace"))
# Where a broker's WAL is unless its test says so: "bucket", or "disk" for a directory of its own (`make test-disk`).
WAL = os.environ.get("WAL_UNDER_TEST", "bucket")
assert WAL in ("bucket", "disk"), f"WAL_UNDER_TEST={WAL}: it is bucket or disk"
POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
KAFKA_PEER = ROOT / "tools" / "peers" / "kafka-peer"


def wait_until(condition, timeout_s=30.0, what="the condition"):
    """The first true value of `condition()`; fails with `what` when there is none in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout_s} s")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def small_disk(path, megabytes):
    """A file system of its own; yields a function that gives it another size."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    if (done := subprocess.run(mount, capture_output=True, text=True)).returncode != 0:
        pytest.skip(f"this machine lets nobody mount a file system: {done.stderr.strip()}")
    try:
        yield lambda mb: subprocess.run(["mount", "-o", f"remount,size={mb}m", str(path)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


# ------------------------------------------------------------------------------------------- Millrace


class Millrace:
    """One `millrace start` on a bucket; start, stop, kill9 and restart it as often as needed."""

    def __init__(self, directory, *arguments, bucket=None, verb="start", env=None):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.bucket = bucket or f"file://{self.directory}/bucket"
        self.verb = verb
        self.arguments = [str(a) for a in arguments]
        self.env = env or {}
        self.log_path = self.directory / "millrace.log"
        self.ready_path = self.directory / "ready.json"
        self.process = None
        self.addresses = {}

    def wal(self):
        """The WAL that is tested, for a broker whose test chose none; a directory that stays over restarts."""
        roles = self.arguments[self.arguments.index("--roles") + 1] if "--roles" in self.arguments else "broker"
        if WAL == "bucket" or "--wal" in self.arguments or "broker" not in roles.split(","):
            return []
        return ["--wal", f"disk:{self.directory}/wal"]

    def command(self):
        """Listeners keep their ports over a restart, so that clients find it again."""
        listeners = []
        for name in ("kafka", "mysql", "http"):
            if f"--{name}-listen" not in self.arguments:
                listeners += [f"--{name}-listen", self.addresses.get(name, "127.0.0.1:0")]
        where = ["--bucket", self.bucket, "--ready-file", str(self.ready_path)]
        return [str(MILLRACE), self.verb, *where, *listeners, *self.wal(), *self.arguments]

    def start(self, timeout_s=30.0):
        assert self.process is None, "it runs already"
        self.ready_path.unlink(missing_ok=True)
        with self.log_path.open("ab") as log:
            env = {**os.environ, **self.env}
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

        def ready():
            if (code := self.process.poll()) is not None:
                self.process = None
                raise AssertionError(f"millrace ended with {code} before it was ready:\n{self.log()[-4000:]}")
            with contextlib.suppress(OSError, ValueError):
                return json.loads(self.ready_path.read_text())
            return None

        try:
            self.addresses = wait_until(ready, timeout_s, "millrace's ready file")
        except AssertionError as error:
            self.kill9()
            raise AssertionError(f"{error}\n{self.log()[-4000:]}") from None
        return self

    def stop(self, timeout_s=30.0):
        """SIGTERM; its exit code. A graceful stop must end with 0."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"millrace did not end within {timeout_s} s:\n{self.log()[-4000:]}") from None

    def kill9(self):
        if self.process is not None:
            process, self.process = self.process, None
            process.kill()
            process.wait()

    def restart(self, hard=False, **options):
        """Ends it (with SIGKILL when `hard`) and starts it on the same bucket and ports."""
        if hard:
            self.kill9()
        else:
            assert self.stop() == 0
        return self.start(**options)

    def refusal(self):
        """The one error of a start that is refused."""
        try:
            with pytest.raises(AssertionError, match="before it was ready") as told:
                self.start()
        finally:
            self.kill9()
        # Once as start() quotes the log, and once more as it repeats it.
        lines = {line for line in str(told.value).splitlines() if line.startswith("millrace: ")}
        assert len(lines) == 1, told.value
        return lines.pop()

    def metric(self, name):
        """Its value on /metrics, the sum when it has labels."""
        with urllib.request.urlopen(self.http + "/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        values = [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
        assert values, f"no metric {name}"
        return sum(values)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def host_port(self, name):
        host, _, port = self.addresses[name].rpartition(":")
        return host, int(port)

    @property
    def kafka(self):
        return self.addresses["kafka"]

    @property
    def mysql(self):
        return self.host_port("mysql")

    @property
    def http(self):
        return f"http://{self.addresses['http']}"

    @property
    def pid(self):
        return self.process.pid


# ----------------------------------------------------------------------------------------- PostgreSQL


class Postgres:
    """A private PostgreSQL 15 with wal_level=logical; user `postgres`, trusted on loopback."""

    def __init__(self, directory, **settings):
        self.directory = Path(directory)
        self.data = self.directory / "data"
        self.port = free_port()
        self.settings = {"wal_level": "logical", "max_wal_senders": 20, "max_replication_slots": 20, **settings}
        self.process = None

    def _as_owner(self, command):
        """PostgreSQL refuses to run as root."""
        return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command

    def create(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        init = [str(POSTGRES_BIN / "initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust", "-N"]
        init += ["-E", "UTF8", "--locale", "C.UTF-8"]
        done = subprocess.run(self._as_owner(init), capture_output=True, text=True, cwd="/")
        assert done.returncode == 0, done.stdout + done.stderr
        return self

    def start(self):
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.directory,
            "fsync": "off",
            "shared_buffers": "64MB",
            **self.settings,
        }
        command = [str(POSTGRES_BIN / "postgres"), "-D", str(self.data)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        with (self.directory / "postgres.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._as_owner(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"
            )
        ready = [str(POSTGRES_BIN / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        wait_until(lambda: subprocess.run(ready).returncode == 0, 30, "PostgreSQL's answer")
        return self

    def server_pid(self):
        """The postmaster's own pid: under root, `process` is runuser."""
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])

    def stop(self, number=signal.SIGINT):
        """SIGINT is PostgreSQL's fast shutdown; SIGKILL leaves it to crash recovery."""
        if self.process is None:
            return
        with contextlib.suppress(OSError):
            os.kill(self.server_pid(), number)
        process, self.process = self.process, None
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def psql(self, sql, database="postgres"):
        """Runs SQL (several statements are fine) and answers its unaligned output."""
        command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-At", "-h", "127.0.0.1", "-p", str(self.port)]
        done = subprocess.run(
            [*command, "-U", "postgres", "-d", database], input=sql, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    def connect(self, database="postgres", **options):
        import psycopg2

        return psycopg2.connect(host="127.0.0.1", port=self.port, user="postgres", dbname=database, **options)


def postgres_in(directory, **settings):
    """A started server; `directory` must be one that the user postgres can reach."""
    return Postgres(directory, **settings).create().start()


@contextlib.contextmanager
def reachable_directory():
    """A temporary directory that the user postgres can enter, unlike pytest's own (0700 for root)."""
    directory = Path(tempfile.mkdtemp(prefix="millrace-pg-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


# ---------------------------------------------------------------------------------------- Kafka's tools


class KafkaTools:
    """Kafka's Java command-line tools and, for comparisons, a real broker."""

    home = Path(os.environ.get("KAFKA_PEER_HOME", ROOT / ".peers" / "kafka"))

    def command(self, name, *arguments):
        return [str(KAFKA_PEER), "tool", name, *map(str, arguments)]

    def run(self, name, *arguments, input=None, timeout_s=90, check=True):
        """Runs a tool to its end: run('topics', '--bootstrap-server', address, '--list')."""
        done = subprocess.run(
            self.command(name, *arguments), input=input, capture_output=True, text=True, timeout=timeout_s
        )
        if check:
            assert done.returncode == 0, f"{name} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    @contextlib.contextmanager
    def broker(self, directory, *settings):
        """A real Apache Kafka; yields its address."""
        subprocess_run = [str(KAFKA_PEER), "start", str(directory), "0", *settings]
        started = subprocess.run(subprocess_run, capture_output=True, text=True, timeout=120)
        assert started.returncode == 0, started.stderr
        try:
            yield started.stdout.strip()
        finally:
            subprocess.run([str(KAFKA_PEER), "stop", str(directory)], capture_output=True, timeout=120)
