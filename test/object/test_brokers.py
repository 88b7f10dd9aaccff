"""Three brokers on one real S3 bucket: one controls, clients find the leaders, and its kill -9 stops nobody for long."""

import json
import urllib.request

from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from harness import WAL, wait_until
from load import keys_in, produce

RECORDS = 3000


def keys_of(brokers, topic, group):
    return sorted(keys_in([b.kafka for b in brokers], topic, RECORDS, group, patience_s=20))


def controlled_epoch(broker):
    """How often this broker's log said that it took control."""
    return broker.log().count("cluster.controls")


def test_three_brokers_share_topics_and_a_dead_controller_is_replaced(s3, s3_millrace):
    url = s3.url(s3.bucket("three"), "log")
    brokers = [s3_millrace(url, "--node-id", n) for n in (1, 2, 3)]
    admin = KafkaAdminClient(bootstrap_servers=brokers[2].kafka)
    admin.create_topics([NewTopic("orders", 6, 1)])
    leaders = {p["leader_id"] for p in admin.describe_topics(["orders"])[0]["partitions"]}
    admin.close()
    assert leaders == {1, 2, 3}
    produce([b.kafka for b in brokers], "orders", range(RECORDS))
    assert keys_of(brokers, "orders", "g") == list(range(RECORDS))

    brokers[0].kill9()
    wait_until(lambda: controlled_epoch(brokers[1]) + controlled_epoch(brokers[2]) == 1, 20, "another controller")
    brokers[0].start()
    assert keys_of(brokers, "orders", "g2") == list(range(RECORDS))
    if WAL == "disk":
        # The first process holds the disk and is heard: a second one of its node id that lacks the disk is refused.
        message = s3_millrace(url, "--node-id", 1, start=False).refusal()
        assert "a process of broker 1" in message and "may live and holds its WAL on a disk" in message, message
        assert all(b.process.poll() is None for b in brokers)
        assert keys_of(brokers, "orders", "g3") == list(range(RECORDS))
        return
    # Its node id is taken: the first process ends, and says why.
    second = s3_millrace(url, "--node-id", 1)
    process = brokers[0].process
    wait_until(lambda: process.poll() is not None, 30, "the first process to end")
    assert process.returncode == 1 and "another process registered node.id 1" in brokers[0].log()
    brokers[0].process = None
    with urllib.request.urlopen(second.http + "/readyz", timeout=5) as answer:
        assert answer.status == 200
    assert keys_of([second, *brokers[1:]], "orders", "g3") == list(range(RECORDS))
    assert json.loads(urllib.request.urlopen(second.http + "/api/v1/status", timeout=5).read())["ready"]
