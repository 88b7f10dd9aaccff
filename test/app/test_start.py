"""The command line of `millrace`: help, wrong usage, listeners, ready file, status, signals, one process per bucket."""

import json
import os
import re
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

from harness import MILLRACE


def run(*arguments, timeout=20, **options):
    return subprocess.run([MILLRACE, *arguments], capture_output=True, text=True, timeout=timeout, **options)


def get(server, path):
    with urllib.request.urlopen(server.http + path, timeout=10) as reply:
        return reply.status, reply.read().decode()


@pytest.mark.parametrize("verb", [(), ("start",), ("demo",), ("config",), ("cdc", "check"), ("version",), ("completion",)])
def test_every_verb_explains_itself(verb):
    result = run(*verb, "--help")
    assert result.returncode == 0
    assert "--help" in result.stdout


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("start", "--nonsense"), "nonsense"),
        (("fly",), "fly"),
        (("start", "--set", "num.partition=3"), "num.partitions"),
        (("start", "--set", "num.partitions=none"), "num.partitions"),
        (("start", "--roles", "boker"), "boker"),
        (("start", "--bucket", "gopher://x"), "gopher"),
        (("start", "--kafka-listen", "nowhere"), "nowhere"),
        (("start", "--log-level", "loud"), "loud"),
        (("start", "--config", "/does/not/exist.yaml"), "/does/not/exist.yaml"),
        (("start", "--connector", "/does/not/exist.json", "--bucket", "mem:", "--kafka-listen", ":0", "--mysql-listen", ":0", "--http-listen", ":0"), "/does/not/exist.json"),
        (("start", "--roles", "sql"), "--kafka-bootstrap"),
    ],
)
def test_wrong_input_is_named_and_ends_with_a_code(arguments, told, tmp_path):
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode not in (0, -6, -11), result
    assert told in result.stderr
    assert "what():" not in result.stderr


def test_config_tells_where_each_value_comes_from(tmp_path):
    (tmp_path / "c.yaml").write_text("num.partitions: 3\n")
    result = run("config", "--config", tmp_path / "c.yaml", "--node-id", "4", env={**os.environ, "MILLRACE_LOG_LEVEL": "debug"})
    assert re.search(r"num\.partitions +3 +file +.*c\.yaml", result.stdout)
    assert re.search(r"node\.id +4 +flag", result.stdout)
    assert re.search(r"log\.level +debug +environment +MILLRACE_LOG_LEVEL", result.stdout)
    assert re.search(r"bucket +\S+ +default", result.stdout)


def test_completion_scripts_are_valid_shell():
    script = run("completion", "bash").stdout
    check = subprocess.run(["bash", "-c", script + "\nCOMP_WORDS=(millrace st); COMP_CWORD=1; _millrace; echo ${COMPREPLY[@]}"], capture_output=True, text=True)
    assert check.stdout.strip() == "start", check


def test_serves_health_metrics_and_status(millrace):
    assert get(millrace, "/healthz")[0] == 200
    assert get(millrace, "/readyz")[0] == 200
    metrics = get(millrace, "/metrics")[1]
    assert re.search(r"^millrace_\w+ ", metrics, re.M) or re.search(r"^millrace_\w+\{", metrics, re.M)
    status = json.loads(get(millrace, "/api/v1/status")[1])
    assert status["ready"] and status["listeners"]["kafka"] == millrace.kafka
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(urllib.request.Request(millrace.http + "/api/v1/status", headers={"Host": "evil.example"}))


def test_a_port_in_use_is_one_clear_error(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run("start", "--bucket", "mem:", "--http-listen", ":0", "--kafka-listen", address, cwd=tmp_path)
        assert result.returncode == 1
        assert address in result.stderr and "in use" in result.stderr


def test_a_second_process_on_the_bucket_is_refused_and_the_first_serves_on(millrace):
    result = run("start", "--bucket", millrace.bucket, "--kafka-listen", ":0", "--mysql-listen", ":0", "--http-listen", ":0", "--cache-dir", str(millrace.directory / "second"))
    assert result.returncode == 1
    assert str(millrace.pid) in result.stderr
    assert get(millrace, "/readyz")[0] == 200


def test_a_bucket_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    result = run("start", "--bucket", f"file://{tmp_path}/file/bucket", "--kafka-listen", ":0", "--http-listen", ":0", cwd=tmp_path)
    assert result.returncode == 1
    assert "file/bucket" in result.stderr


def test_sigterm_drains_and_exits_0(make_millrace):
    server = make_millrace()
    assert server.stop() == 0, server.log()[-2000:]
    assert not re.search("broken invariant|terminate called|Sanitizer", server.log())
