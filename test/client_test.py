"""Our own Kafka client (src/client) against a real Apache Kafka and against Millrace: the same tests pass on both."""

import os
import subprocess

from harness import ROOT

BINARY = ROOT / "build" / "test" / "client_test"


def run_client_tests(address):
    done = subprocess.run(
        [BINARY, "--gtest_filter=RealKafka.*"],
        env={**os.environ, "KAFKA_BOOTSTRAP": address},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert "[  PASSED  ]" in done.stdout and "SKIPPED" not in done.stdout, done.stdout[-2000:]


def test_our_client_works_with_apache_kafka(kafka_tools, tmp_path):
    with kafka_tools.broker(tmp_path / "kafka") as address:
        run_client_tests(address)


def test_our_client_works_with_millrace(shared_millrace):
    run_client_tests(shared_millrace.kafka)
