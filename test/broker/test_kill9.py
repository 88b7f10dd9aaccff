"""kill -9 of the whole process under idempotent acks=all load: every acknowledged record is there once."""

import os
import asyncio
import time

import pytest

from load import Load, create_topic, read_all

ROUNDS = int(os.environ.get("KILLS", "20"))
PARTITIONS = 3
ROUND_S = 1.0


@pytest.mark.timeout(280)
def test_every_acknowledged_record_is_there_once_after_20_kills(make_millrace):
    server = make_millrace("--roles", "broker")

    async def scenario():
        await create_topic(server.kafka, "kill9", PARTITIONS)
        load = Load(server.kafka, "kill9", PARTITIONS)
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
        return load, per_round, await read_all(server.kafka, "kill9", PARTITIONS)

    load, per_round, found = asyncio.run(scenario())
    assert all(count > 0 for count in per_round), f"no progress in a round: {per_round}"
    load.check(found)
