"""Worker processes: what they know, and what becomes of a task that kills one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from iota_dagster.core.workers import WorkerDied, WorkerPool, bare_environment

SECRETS = {
    "IOTA_STORE_URL": "postgresql://iota:hush@db.example.com/iota",
    "IOTA_DESTINATIONS__0__URL": "https://chat.example.com/hook/hush",
    "DATABASE_DSN": "hush",
    "AWS_SECRET_ACCESS_KEY": "hush",
}


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool(1)
    yield pool
    pool.close()


def environment(_: int) -> dict[str, str]:
    return dict(os.environ)


def die_at_two(number: int) -> int:
    if number == 2:
        os._exit(1)
    return number


def test_a_worker_knows_nothing_that_may_be_a_secret(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**SECRETS, "TMPDIR": "/tmp"}.items():
        monkeypatch.setenv(name, value)
    (found,) = pool.run(environment, [0])
    assert isinstance(found, dict)
    assert not [name for name, value in found.items() if "hush" in value]
    assert found["PATH"] == os.environ["PATH"]
    assert found["TMPDIR"] == "/tmp"


def test_a_process_that_runs_rules_knows_nothing_that_may_be_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    found = bare_environment()
    assert found["PATH"] == os.environ["PATH"]
    assert not [name for name, value in found.items() if "hush" in value]


def test_the_one_task_that_kills_its_worker_is_named_and_the_others_are_done(pool: WorkerPool) -> None:
    one, two, three = pool.run(die_at_two, [1, 2, 3])
    assert (one, three) == (1, 3)
    assert isinstance(two, WorkerDied)
