#!/usr/bin/env python3
"""How long partitions are away when a broker is killed and when they are moved: three brokers on one S3 server.

  bench/cluster.py [--partitions 10,1000,10000] [--slots 300,3000] [--moves 10] [--session-ms 3000] [--markdown FILE]

failover: kill -9 of a broker that does not control, with acknowledged records in every partition; from the controller's
`cluster.broker_silent` to the last `storage.partitions_taken_over`, by the brokers' logs: all its partitions are open then.
With --slots the killed one has so many slots, each with one batch, that no object replaces yet, over 100 partitions.
move: one idempotent producer with acks=all sends to one partition all the time; the longest pause between two
acknowledgements around `millrace cluster move`, beside the longest in the same time before.
Needs `make build` and `tools/setup demo test`.
"""

import argparse
import asyncio
import datetime
import logging
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "bench")]
from aiokafka import AIOKafkaProducer, TopicPartition  # noqa: E402
from harness import MILLRACE, Millrace, wait_until  # noqa: E402
from load import create_topic  # noqa: E402
from servers import Store  # noqa: E402


def at(broker, event):
    """When `event` was logged, seconds since 1970, each time."""
    times = re.findall(rf"^(\S+)Z +\w+ +{re.escape(event)}\b", broker.log(), re.M)
    return [datetime.datetime.fromisoformat(t + "+00:00").timestamp() for t in times]


async def fill(brokers, topic, partitions, rounds=3):
    producer = AIOKafkaProducer(bootstrap_servers=[b.kafka for b in brokers], enable_idempotence=True, acks="all", linger_ms=20)
    await producer.start()
    for n in range(rounds):
        sent = [await producer.send(topic, b"x" * 200, partition=p) for p in range(partitions)]
        await asyncio.gather(*sent)
    await producer.stop()


async def fill_slots_of(broker, brokers, topic, slots):
    """One batch after the other, each acknowledged: so many slots."""
    producer = AIOKafkaProducer(bootstrap_servers=[b.kafka for b in brokers], enable_idempotence=True, acks="all")
    await producer.start()
    await producer.partitions_for(topic)
    metadata = producer.client.cluster
    theirs = [p for p in metadata.partitions_for_topic(topic) if metadata.leader_for_partition(TopicPartition(topic, p)) == broker]
    for n in range(slots):
        await producer.send_and_wait(topic, b"x" * 200, partition=theirs[n % len(theirs)])
    await producer.stop()


def failover(store, directory, partitions, session_ms, slots=0):
    name = f"failover{partitions}-{slots}"
    url = store.url(name)
    options = ("--set", f"broker.session.timeout.ms={session_ms}", "--set", "auto.leader.rebalance.enable=false")
    options += ("--set", "wal.puts.per.second=100000") if slots else ()
    brokers = [
        Millrace(directory / f"{name}-{n}", "--roles", "broker", "--node-id", n, *options, bucket=url, env=store.credentials()).start()
        for n in (1, 2, 3)
    ]
    try:
        asyncio.run(create_topic([b.kafka for b in brokers], "t", partitions))
        asyncio.run(fill_slots_of(3, brokers, "t", slots) if slots else fill(brokers, "t", partitions))
        victim, others = brokers[2], brokers[:2]
        killed = time.time()
        victim.kill9()
        silent = wait_until(lambda: [t for b in others for t in at(b, "cluster.broker_silent")], 60, "the fence")[0]

        def taken_over():
            count = sum(int(n) for b in others for n in re.findall(r"partitions_taken_over partitions=(\d+)", b.log()))
            return count >= partitions // 3

        wait_until(taken_over, 120, "all partitions to be open")
        opened = max(t for b in others for t in at(b, "storage.partitions_taken_over"))
        return silent - killed, opened - silent
    finally:
        for broker in brokers:
            broker.kill9()


async def pauses(brokers, moves):
    """The longest pause between acknowledgements in the second before each move, and in the one after."""
    producer = AIOKafkaProducer(bootstrap_servers=[b.kafka for b in brokers], enable_idempotence=True, acks="all", retry_backoff_ms=10)
    await producer.start()
    acks, running = [], True

    async def send():
        while running:
            await producer.send_and_wait("t", b"x" * 200, partition=0)
            acks.append(time.monotonic())

    async def lead_by(broker):
        command = [str(MILLRACE), "cluster", "move", "t-0", str(broker), "--wait", "--bootstrap-server", brokers[0].kafka]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
        assert await process.wait() == 0, command

    def longest(begin, end):
        times = [t for t in acks if begin <= t <= end]
        return max(b - a for a, b in zip(times, times[1:]))

    sending = [asyncio.create_task(send()) for _ in range(4)]
    before, after = [], []
    for n in range(moves):
        await asyncio.sleep(1.5)
        begin = time.monotonic()
        await lead_by(1 + n % 3)
        await asyncio.sleep(1)
        before.append(longest(begin - 1, begin))
        after.append(longest(begin - 0.2, begin + 1))
    running = False
    await asyncio.gather(*sending)
    await producer.stop()
    return before, after


def moving(store, directory, moves):
    url = store.url("moving")
    options = ("--set", "auto.leader.rebalance.enable=false")
    brokers = [
        Millrace(directory / f"m-{n}", "--roles", "broker", "--node-id", n, *options, bucket=url, env=store.credentials()).start()
        for n in (1, 2, 3)
    ]
    try:
        asyncio.run(create_topic([b.kafka for b in brokers], "t", 3))
        return asyncio.run(pauses(brokers, moves))
    finally:
        for broker in brokers:
            broker.kill9()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--partitions", default="10,1000,10000")
    parser.add_argument("--slots", default="300,3000")
    parser.add_argument("--moves", type=int, default=10)
    parser.add_argument("--session-ms", type=int, default=3000)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # retries are what is measured
    lines = ["| kill -9 of one of three brokers | until it is fenced | all its partitions open after that |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as directory:
        store = Store(directory)
        try:
            cases = [(int(n), 0) for n in options.partitions.split(",") if n] + [(100, int(n)) for n in options.slots.split(",") if n]
            for partitions, slots in cases:
                detected, opened = failover(store, Path(directory), partitions, options.session_ms, slots)
                what = f"{partitions} partitions" + (f", {slots} slots" if slots else "")
                lines.append(f"| {what} | {detected:.1f} s (session timeout {options.session_ms / 1000:g} s) | {1000 * opened:.0f} ms |")
                print(lines[-1], file=sys.stderr, flush=True)
            before, after = moving(store, Path(directory), options.moves)
        finally:
            store.stop()
    lines += ["", "| longest pause of one producer, median (least-greatest) of the moves | |", "|---|---|"]
    for name, values in (("the second before a move", before), ("around the move", after)):
        ms = sorted(1000 * v for v in values)
        lines.append(f"| {name} | {statistics.median(ms):.0f} ms ({ms[0]:.0f}-{ms[-1]:.0f}) |")
    print("\n".join(lines))
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
