"""The process that forks runs: what it says where it cannot."""

from __future__ import annotations

from multiprocessing.connection import Connection

import pytest

from iota_dagster import run_server


def dies(run_id: str, instance_ref: str, sender: Connection) -> None:
    """A host that has no process left for another fork."""
    raise SystemExit(1)


def test_a_run_whose_process_cannot_be_forked_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_server, "_detach", dies)
    with pytest.raises(RuntimeError, match="the process of run r1 could not be started"):
        run_server.start("r1", "")
