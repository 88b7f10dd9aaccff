"""Our message descriptions are Kafka's own: compared with the field lists inside the Kafka client jar."""

import subprocess

from harness import ROOT, KafkaTools


def test_every_field_of_every_version_is_kafkas():
    dump = ROOT / "build" / "test" / "kafka_schema_dump"
    assert dump.exists(), "build it: cmake --build build/test --target kafka_schema_dump"
    command = [str(ROOT / "test" / "kafka-schema" / "compare"), str(KafkaTools.home / "libs"), str(dump)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
