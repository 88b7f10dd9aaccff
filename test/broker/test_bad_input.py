"""Clients that send nonsense lose their connection, and nobody else notices."""

import os
import socket
import struct
import time

import pytest
from harness import Millrace


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    server = Millrace(tmp_path_factory.mktemp("millrace"), "--roles", "broker").start()
    yield server
    assert server.stop() == 0, server.log()[-4000:]


def connect(broker):
    connection = socket.create_connection(broker.host_port("kafka"), timeout=10)
    connection.settimeout(10)
    return connection


def closed(connection):
    """True once the peer closed; fails by timeout otherwise."""
    try:
        return connection.recv(4096) == b""
    except ConnectionResetError:
        return True


def frame(body):
    return struct.pack(">i", len(body)) + body


def request(key, version, body=b"", correlation=7):
    client = b"test"
    return frame(struct.pack(">hhih", key, version, correlation, len(client)) + client + body)


def read_frame(connection):
    size = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
    return connection.recv(size, socket.MSG_WAITALL)


def assert_serves(broker):
    with connect(broker) as connection:
        connection.sendall(request(18, 0))
        answer = read_frame(connection)
        assert struct.unpack(">ih", answer[:6]) == (7, 0)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        struct.pack(">i", -1),
        struct.pack(">i", 0x7FFFFFFF),
        struct.pack(">i", 100 * 1024 * 1024 + 1),
        frame(b""),
        frame(b"\x00"),
        request(999, 0),
        request(7, 0),
        request(0, 2, b"\x00" * 10),
        request(3, 99),
        request(1, 12, b"\xff" * 40),
        request(3, 5, struct.pack(">i", 0x7FFFFFFF)),
    ],
    ids=range(12),
)
def test_nonsense_closes_the_connection_and_no_other(broker, nonsense):
    with connect(broker) as other, connect(broker) as connection:
        connection.sendall(nonsense)
        assert closed(connection)
        other.sendall(request(18, 0))
        assert read_frame(other)[:4] == struct.pack(">i", 7)
    assert_serves(broker)


def test_half_a_frame_and_silence_hold_nobody_up(broker):
    with connect(broker) as half, connect(broker):
        half.sendall(request(18, 0)[:9])
        assert_serves(broker)
        half.close()
    assert_serves(broker)


def test_random_bytes_do_no_harm(broker):
    for _ in range(50):
        with connect(broker) as connection:
            body = os.urandom(200)
            connection.sendall(frame(struct.pack(">hh", body[0] % 76, body[1] % 14) + body))
    assert_serves(broker)


def test_api_versions_answers_a_version_from_the_future(broker):
    with connect(broker) as connection:
        connection.sendall(request(18, 77, b"\x00"))  # header version 2: no tagged fields
        correlation, error, count, key, low, high = struct.unpack(">ihihhh", read_frame(connection))
        assert (correlation, error, count, key, low) == (7, 35, 1, 18, 0) and high >= 4


def test_pipelined_requests_are_answered_in_their_order(broker):
    with connect(broker) as connection:
        connection.sendall(b"".join(request(18, 0, correlation=i) for i in range(1000)))
        for i in range(1000):
            assert struct.unpack(">i", read_frame(connection)[:4])[0] == i


def test_idle_connections_are_closed(tmp_path):
    server = Millrace(tmp_path, "--roles", "broker", "--set", "connections.max.idle.ms=500").start()
    try:
        with connect(server) as connection:
            began = time.monotonic()
            assert closed(connection)
            assert time.monotonic() - began < 9
    finally:
        assert server.stop() == 0
