"""Idempotent acks=all load on one topic, and what must be true of the log afterwards. `addresses` are one or a list."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from kafka import KafkaConsumer, KafkaProducer


def produce(addresses, topic, keys, value=b"x" * 100):
    """A record for each number; all of them are acknowledged."""
    producer = KafkaProducer(bootstrap_servers=addresses, acks="all", enable_idempotence=True, linger_ms=2)
    sent = [producer.send(topic, key=b"%d" % key, value=value) for key in keys]
    producer.flush(60)
    producer.close()
    assert all(s.succeeded() for s in sent)


def keys_in(addresses, topic, count, group=None, patience_s=5):
    """The numbers of the first `count` records, or of as many as come."""
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=addresses,
        group_id=group,
        auto_offset_reset="earliest",
        consumer_timeout_ms=patience_s * 1000,
    )
    keys = []
    for record in consumer:
        keys.append(int(record.key))
        if len(keys) == count:
            break
    consumer.close()
    return keys


async def create_topic(addresses, topic, partitions):
    admin = AIOKafkaAdminClient(bootstrap_servers=addresses)
    await admin.start()
    await admin.create_topics([NewTopic(topic, partitions, 1)])
    await admin.close()


class Load:
    """Numbered records to a topic; remembers which were acknowledged where."""

    def __init__(self, addresses, topic, partitions, burst=50, timeout_s=20):
        """`timeout_s`: also how long a batch waits for a leader. aiokafka fails it then, and as its sequence numbers are
        used up, every later batch of that partition is out of order for good: longer than any partition may be away."""
        self.addresses = addresses
        self.topic = topic
        self.partitions = partitions
        self.burst = burst
        self.timeout_s = timeout_s
        self.acknowledged = {}
        self.unknown = {}
        self.of_partition = [0] * partitions
        self.in_flight = [0] * partitions
        self.next = 0
        self.stopping = False

    async def run(self):
        producer = AIOKafkaProducer(
            bootstrap_servers=self.addresses,
            enable_idempotence=True,
            acks="all",
            linger_ms=1,
            request_timeout_ms=self.timeout_s * 1000,
            metadata_max_age_ms=2000,
        )
        await producer.start()
        waiting = set()
        while not self.stopping:
            number = self.next
            self.next += 1
            partition = number % self.partitions
            if self.in_flight[partition] * self.partitions >= 2000:  # one that has no leader holds up no other
                await asyncio.sleep(0.001)
                continue
            self.in_flight[partition] += 1
            sent = await producer.send(self.topic, b"%d" % number, partition=partition)
            task = asyncio.create_task(self.note(number, sent))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            if number % self.burst == 0:
                await asyncio.sleep(0.002)
        if waiting:
            await asyncio.wait(waiting, timeout=60)
        await producer.stop()

    async def note(self, number, sent):
        try:
            metadata = await sent
        except Exception as error:
            self.unknown[number] = error
            return
        finally:
            self.in_flight[number % self.partitions] -= 1
        self.acknowledged[number] = (metadata.partition, metadata.offset)
        self.of_partition[metadata.partition] += 1

    async def progress(self, timeout_s=30, records=1, of=None):
        """Until each partition (or each `of` some) has `records` more acknowledged, of those sent from now on, too."""
        goals = [count + records * (of is None or p in of) for p, count in enumerate(self.of_partition)]
        deadline = asyncio.get_running_loop().time() + timeout_s
        while any(count < goal for count, goal in zip(self.of_partition, goals)):
            late = [p for p, goal in enumerate(goals) if self.of_partition[p] < goal]
            assert asyncio.get_running_loop().time() < deadline, f"partitions {late} acknowledge nothing for {timeout_s} s"
            await asyncio.sleep(0.05)

    def check(self, found):
        """`found`: number -> places, as read_all answers."""
        for number, place in self.acknowledged.items():
            places = found.get(number)
            assert places == [place], f"record {number} was acknowledged at {place} and is at {places}"
        # What was not acknowledged may be there, but not twice.
        twice = {number: places for number, places in found.items() if len(places) > 1}
        assert not twice, f"there twice: {list(twice.items())[:5]}"
        strangers = set(found) - set(self.acknowledged) - set(self.unknown)
        assert not strangers, f"nobody sent {sorted(strangers)[:5]}"
        for partition in range(self.partitions):
            offsets = [found[n][0][1] for n in sorted(found) if n % self.partitions == partition]
            assert offsets == sorted(offsets), f"partition {partition} is not in the order of sending"


async def read_all(addresses, topic, partitions):
    """number -> [(partition, offset)] of everything below the high watermarks."""
    consumer = AIOKafkaConsumer(bootstrap_servers=addresses, auto_offset_reset="earliest")
    await consumer.start()
    assigned = [TopicPartition(topic, p) for p in range(partitions)]
    consumer.assign(assigned)
    ends = await consumer.end_offsets(assigned)
    found = {}
    while any([await consumer.position(p) < ends[p] for p in assigned]):
        for batch in (await consumer.getmany(timeout_ms=500)).values():
            for record in batch:
                found.setdefault(int(record.value), []).append((record.partition, record.offset))
    await consumer.stop()
    return found


def check_kills(server, rounds, partitions=3, round_s=1.0):
    """kill -9 of the server again and again under load: something is acknowledged each time, and is there once."""

    async def scenario():
        await create_topic(server.kafka, "kill9", partitions)
        load = Load(server.kafka, "kill9", partitions)
        running = asyncio.create_task(load.run())
        per_round = []
        for _ in range(rounds):
            before, deadline = len(load.acknowledged), time.monotonic() + 20
            await asyncio.sleep(round_s)
            while len(load.acknowledged) == before and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
            per_round.append(len(load.acknowledged) - before)
            await asyncio.to_thread(server.restart, hard=True)
        load.stopping = True
        await asyncio.wait_for(running, 90)
        return load, per_round, await read_all(server.kafka, "kill9", partitions)

    load, per_round, found = asyncio.run(scenario())
    assert all(count > 0 for count in per_round), f"no progress in a round: {per_round}"
    load.check(found)
