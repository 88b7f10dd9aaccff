"""Three broker processes on one real S3 bucket under idempotent acks=all load, while brokers die, pause, leave and come
back: nothing acknowledged is lost or doubled, and order stays. The long ones run with `make test-cluster`."""

import asyncio
import os
import signal
import socket
import threading
import time

import pytest
from kafka import KafkaAdminClient

from load import Load, create_topic, read_all

PARTITIONS = 12
SESSION_MS = 3000


class Fleet:
    """The brokers of one test, the load on them, and how long the longest pause of each partition was."""

    def __init__(self, s3_millrace, urls, wals):
        self.brokers = []
        for n, (url, wal) in enumerate(zip(urls, wals)):
            settings = ["--wal", wal, "--set", f"broker.session.timeout.ms={SESSION_MS}"]
            if wal != "bucket":
                settings += ["--set", "wal.segment.bytes=4194304"]
            self.brokers.append(s3_millrace(url, "--node-id", n + 1, *settings))

    @property
    def addresses(self):
        return [broker.kafka for broker in self.brokers]

    def alive(self):
        return [b for b in self.brokers if b.process is not None and b.process.poll() is None]

    def led_by(self, *node_ids):
        admin = KafkaAdminClient(bootstrap_servers=self.addresses)
        partitions = admin.describe_topics(["t"])[0]["partitions"]
        admin.close()
        return {p["partition_index"] for p in partitions if p["leader_id"] in node_ids}

    async def under_load(self, story, timeout_s=20):
        await create_topic(self.addresses, "t", PARTITIONS)
        load = Load(self.addresses, "t", PARTITIONS, burst=20, timeout_s=timeout_s)
        running = asyncio.create_task(load.run())
        await load.progress()
        await story(load)
        await load.progress(30, 100)
        load.stopping = True
        await asyncio.wait_for(running, 120)
        found = await asyncio.wait_for(read_all(self.addresses, "t", PARTITIONS), 120)
        load.check(found)
        assert len(load.acknowledged) > 1000
        return load


@pytest.fixture
def fleet(s3, s3_millrace, tmp_path):
    def make(*, proxies=(None, None, None), wal="bucket"):
        """`wal` bucket or disk for all, or mixed: the first one's is in the bucket."""
        disks = [f"disk:{tmp_path}/wal-{n}" for n in range(len(proxies))]
        wals = {"bucket": ["bucket"] * len(disks), "disk": disks, "mixed": ["bucket", *disks[1:]]}[wal]
        bucket = s3.bucket(f"failover-{os.getpid()}-{time.monotonic_ns()}")
        urls = [s3.url(bucket, "log", **({"endpoint": proxy.endpoint} if proxy else {})) for proxy in proxies]
        return Fleet(s3_millrace, urls, wals)

    return make


@pytest.mark.parametrize("wal", ["bucket", "mixed"])
@pytest.mark.timeout(240)
def test_each_broker_killed_in_turn_and_all_goes_on(fleet, wal):
    three = fleet(wal=wal)

    async def story(load):
        for broker in list(three.brokers):
            await asyncio.to_thread(broker.kill9)
            if "bucket" in broker.arguments:
                # Without it: fenced after the session timeout, its partitions led by the others.
                await load.progress(40, 100)
            else:
                await asyncio.sleep(SESSION_MS / 1000 * 2)  # what lies on its disk waits for it (rule 21)
            await asyncio.to_thread(broker.start)
            await load.progress(40, 100)

    asyncio.run(three.under_load(story))


@pytest.mark.parametrize("wal", ["bucket", "mixed"])
@pytest.mark.timeout(240)
def test_a_rolling_restart_goes_unnoticed(fleet, wal):
    three = fleet(wal=wal)

    async def story(load):
        for broker in list(three.brokers):
            code = await asyncio.to_thread(broker.stop, 60)
            assert code == 0, broker.log()[-3000:]
            assert "partitions_left=0" in broker.log()
            await load.progress(30, 100)
            await asyncio.to_thread(broker.start)
            await load.progress(30, 100)

    load = asyncio.run(three.under_load(story))
    assert not load.unknown, list(load.unknown.items())[:3]


@pytest.mark.timeout(240)
def test_a_disk_wal_whose_holder_is_suspended_beyond_its_lease_acknowledges_nothing_more_under_it(fleet):
    """Nobody else can serve what it led (rule 21); it comes back as a new incarnation, and nothing is lost or doubled."""
    three = fleet(wal="mixed")

    async def story(load):
        holder = three.brokers[2]
        os.kill(holder.pid, signal.SIGSTOP)
        await asyncio.sleep(SESSION_MS / 1000 * 2)
        fenced = [b for b in three.brokers[:2] if "cluster.broker_silent" in b.log()]
        os.kill(holder.pid, signal.SIGCONT)
        assert fenced, "nobody fenced it"
        wait = time.monotonic() + 30
        while "server.rejoining" not in holder.log() and time.monotonic() < wait:
            await asyncio.sleep(0.1)
        assert "server.rejoining" in holder.log(), holder.log()[-3000:]
        assert "the controller fenced this broker" in holder.log()

    asyncio.run(three.under_load(story))


@pytest.mark.long
@pytest.mark.parametrize("wal", ["bucket", "disk"])
@pytest.mark.timeout(300)
def test_a_paused_broker_wakes_up_as_a_zombie_and_comes_back(fleet, wal):
    three = fleet(wal=wal)

    async def story(load):
        for broker in three.brokers[:2]:
            os.kill(broker.pid, signal.SIGSTOP)
            await asyncio.sleep(30)
            before = len(load.acknowledged)
            os.kill(broker.pid, signal.SIGCONT)
            await load.progress(40, 100)
            assert before > 0
            deadline = time.monotonic() + 30
            while "server.rejoining" not in broker.log() and time.monotonic() < deadline:
                await asyncio.sleep(0.2)
            assert "server.rejoining" in broker.log(), broker.log()[-3000:]
            await asyncio.sleep(5)
            assert broker.process.poll() is None

    # What lies on a disk waits for its broker (rule 21).
    asyncio.run(three.under_load(story, timeout_s=20 if wal == "bucket" else 60))


@pytest.mark.long
@pytest.mark.parametrize("wal", ["bucket", "disk"])
@pytest.mark.timeout(300)
def test_all_killed_at_once_and_started_from_the_bucket(fleet, wal):
    three = fleet(wal=wal)

    async def story(load):
        for _ in range(3):
            for broker in three.brokers:
                broker.kill9()
            await asyncio.gather(*(asyncio.to_thread(broker.start) for broker in three.brokers))
            await load.progress(60, 100)

    asyncio.run(three.under_load(story))


REFUSAL = b"<Error><Code>AccessDenied</Code><Message>the bucket is read-only</Message></Error>"


class StoreProxy:
    """A way to the store that can be cut (connections break, new ones are accepted and lead nowhere) or let only reads
    through (whatever writes is answered 403)."""

    def __init__(self, endpoint):
        host, _, port = endpoint.removeprefix("http://").partition(":")
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.endpoint = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.cut = False
        self.read_only = False
        self.open = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            if self.cut:
                self.open.add(client)
                continue
            try:
                server = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            self.open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    def pump(self, source, sink):
        try:
            while data := source.recv(1 << 16):
                if self.cut:
                    break
                if self.read_only and data.startswith((b"PUT ", b"POST ", b"DELETE ")):
                    self.refuse(source, data)
                    break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            self.open.discard(end)
            end.close()

    def refuse(self, client, data):
        """Takes the whole request first: a client that still sends would see a broken connection instead."""
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        if b"expect: 100-continue" in head.lower():
            length = 0
        while len(body) < length and (more := client.recv(1 << 16)):
            body += more
        client.sendall(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(REFUSAL) + REFUSAL)

    def set_cut(self, cut):
        self.cut = cut
        for end in list(self.open):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


@pytest.mark.long
@pytest.mark.parametrize("wal", ["bucket", "disk"])
@pytest.mark.timeout(300)
def test_one_broker_that_cannot_reach_the_store_does_not_stop_the_others(fleet, s3, wal):
    proxy = StoreProxy(s3.endpoint)
    three = fleet(proxies=(None, proxy, None), wal=wal)

    async def story(load):
        # What lies on a disk waits for its broker (rule 21), which gives up 30 s after its lease was over.
        kept = range(PARTITIONS) if wal == "bucket" else await asyncio.to_thread(three.led_by, 1, 3)
        assert kept
        proxy.set_cut(True)
        await asyncio.sleep(25)
        await load.progress(60, of=kept)
        proxy.set_cut(False)
        await load.progress(40, 100)
        assert len(three.alive()) == 3

    asyncio.run(three.under_load(story, timeout_s=20 if wal == "bucket" else 60))


@pytest.mark.long
@pytest.mark.parametrize("wal", ["bucket", "disk"])
@pytest.mark.timeout(300)
def test_a_bucket_served_read_only_ends_the_brokers_with_the_reason_and_loses_nothing(fleet, s3, wal):
    """With a WAL on a disk the controller goes on, whose lease needs no write; it can grant none to the others."""
    proxy = StoreProxy(s3.endpoint)
    three = fleet(proxies=(proxy, proxy, proxy), wal=wal)
    reasons = {
        "bucket": ("the bucket refuses the slot", "AccessDenied"),
        "disk": ("the lease of this WAL was not renewed", "it could not write to the bucket"),
    }[wal]

    async def story(load):
        controller = next(b for b in three.brokers if "cluster.controls" in b.log() or b is three.brokers[0])
        enders = [b for b in three.brokers if wal == "bucket" or b is not controller]
        proxy.read_only = True
        deadline = time.monotonic() + (60 if wal == "bucket" else 90)
        while any(b.process.poll() is None for b in enders) and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
        for broker in enders:
            assert broker.process.poll() == 1
            assert all(reason in broker.log() for reason in reasons)
            broker.process = None
        assert "AccessDenied" in controller.log()
        with pytest.raises(AssertionError, match="AccessDenied"):
            await asyncio.to_thread(enders[0].start)
        proxy.read_only = False
        await asyncio.gather(*(asyncio.to_thread(broker.start) for broker in enders))
        await load.progress(60, 100)

    asyncio.run(three.under_load(story, timeout_s=20 if wal == "bucket" else 120))
