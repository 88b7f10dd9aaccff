"""kill -9 of the whole process under idempotent acks=all load: every acknowledged record is there once."""

import os

import pytest

from load import check_kills

ROUNDS = int(os.environ.get("KILLS", "20"))


@pytest.mark.timeout(280)
def test_every_acknowledged_record_is_there_once_after_20_kills(make_millrace):
    check_kills(make_millrace("--roles", "broker"), ROUNDS)
