"""What is repeated beside the real work: an error of it must not end it."""

from __future__ import annotations

import threading

import pytest

from iota_dagster.core.background import repeating

PATIENCE = 30
"""Seconds that a test waits for what happens at once."""


def test_work_that_fails_is_logged_and_done_again(caplog: pytest.LogCaptureFixture) -> None:
    again = threading.Event()
    calls = 0

    def work() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError("it is a bad day")
        again.set()

    with repeating(0.001, work, "the work"):
        assert again.wait(PATIENCE)
    (line,) = caplog.records
    assert line.getMessage() == "the work failed, and is tried again in 0.001 seconds"
    assert "it is a bad day" in caplog.text
