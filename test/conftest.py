"""Fixtures of the integration tests; the classes behind them are in harness.py."""

import pytest

from harness import KafkaTools, Millrace, postgres_in, reachable_directory


@pytest.fixture
def make_millrace(tmp_path):
    """A factory: make_millrace('--roles', 'broker', bucket=..., start=False). All are ended after the test."""
    made = []

    def make(*arguments, name=None, start=True, **options):
        server = Millrace(tmp_path / (name or f"millrace-{len(made)}"), *arguments, **options)
        made.append(server)
        return server.start() if start else server

    yield make
    for server in made:
        server.kill9()


@pytest.fixture
def millrace(make_millrace):
    """A running Millrace with all roles on an empty bucket."""
    server = make_millrace()
    yield server
    assert server.stop() == 0, server.log()[-4000:]


@pytest.fixture(scope="module")
def shared_millrace(tmp_path_factory):
    """One Millrace for all tests of a file: those that only add topics and tables of their own."""
    server = Millrace(tmp_path_factory.mktemp("millrace")).start()
    yield server
    assert server.stop() == 0, server.log()[-4000:]


@pytest.fixture
def postgres():
    with reachable_directory() as directory:
        server = postgres_in(directory / "server")
        yield server
        server.stop()


@pytest.fixture(scope="module")
def shared_postgres():
    """One PostgreSQL for all tests of a file."""
    with reachable_directory() as directory:
        server = postgres_in(directory / "server")
        yield server
        server.stop()


@pytest.fixture(scope="session")
def kafka_tools():
    tools = KafkaTools()
    assert (tools.home / "classes.txt").exists(), "Kafka's tools are missing: `tools/setup test` installs them"
    return tools
