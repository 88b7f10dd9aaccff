"""kill -9 of the whole process under idempotent acks=all load: every acknowledged record is there once."""

import os
import asyncio
import time

import pytest

ROUNDS = int(os.environ.get("KILLS", "20"))
PARTITIONS = 3
ROUND_S = 1.0


class Load:
    """Numbered records to a topic; remembers which were acknowledged where."""

    def __init__(self, address):
        self.address = address
        self.acknowledged = {}
        self.unknown = set()
        self.next = 0
        self.stopping = False

    async def run(self):
        from aiokafka import AIOKafkaProducer

        producer = AIOKafkaProducer(
            bootstrap_servers=self.address,
            enable_idempotence=True,
            acks="all",
            linger_ms=1,
            request_timeout_ms=20000,
            metadata_max_age_ms=2000,
        )
        await producer.start()
        waiting = set()
        while not self.stopping:
            number = self.next
            self.next += 1
            sent = await producer.send("kill9", b"%d" % number, partition=number % PARTITIONS)
            task = asyncio.create_task(self.note(number, sent))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            if number % 50 == 0:
                await asyncio.sleep(0.002)
            while len(waiting) > 2000:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(waiting, timeout=60) if waiting else None
        await producer.stop()

    async def note(self, number, sent):
        try:
            metadata = await sent
        except Exception:
            self.unknown.add(number)
            return
        self.acknowledged[number] = (metadata.partition, metadata.offset)


async def read_all(address):
    from aiokafka import AIOKafkaConsumer, TopicPartition

    consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    partitions = [TopicPartition("kill9", p) for p in range(PARTITIONS)]
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    found = {}
    while any([await consumer.position(p) < ends[p] for p in partitions]):
        for batch in (await consumer.getmany(timeout_ms=500)).values():
            for record in batch:
                found.setdefault(int(record.value), []).append((record.partition, record.offset))
    await consumer.stop()
    return found


@pytest.mark.timeout(280)
def test_every_acknowledged_record_is_there_once_after_20_kills(make_millrace):
    server = make_millrace("--roles", "broker")

    async def scenario():
        from aiokafka.admin import AIOKafkaAdminClient, NewTopic

        admin = AIOKafkaAdminClient(bootstrap_servers=server.kafka)
        await admin.start()
        await admin.create_topics([NewTopic("kill9", PARTITIONS, 1)])
        await admin.close()
        load = Load(server.kafka)
        running = asyncio.create_task(load.run())
        per_round = []
        for _ in range(ROUNDS):
            before, deadline = len(load.acknowledged), time.monotonic() + 20
            await asyncio.sleep(ROUND_S)
            while len(load.acknowledged) == before and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
            per_round.append(len(load.acknowledged) - before)
            await asyncio.to_thread(server.restart, hard=True)
        load.stopping = True
        await asyncio.wait_for(running, 90)
        return load, per_round, await read_all(server.kafka)

    load, per_round, found = asyncio.run(scenario())
    assert all(count > 0 for count in per_round), f"no progress in a round: {per_round}"
    for number, place in load.acknowledged.items():
        assert found.get(number) == [
            place
        ], f"record {number} was acknowledged at {place} and is at {found.get(number)}"
    # What was not acknowledged may be there, but not twice.
    assert all(len(places) == 1 for places in found.values())
    assert set(found) <= set(load.acknowledged) | load.unknown
