"""The PostgreSQL fixtures: a database of one's own, and a server that ends with its session."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from tests import postgres


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_gets_an_empty_database_of_its_own(postgres_url: str, turn: int) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE left_behind (turn int)")
        rows = connection.execute("SELECT count(*) FROM left_behind").fetchone()
    assert rows == (0,), turn


def test_a_server_ends_with_its_owner_however_that_ends(tmp_path: Path, postgres_server: str) -> None:
    folder = postgres.binaries()
    assert folder is not None, "postgres_server would have skipped this test"
    with subprocess.Popen(["sleep", "600"]) as owner:
        url = postgres.session_server(tmp_path, owner.pid, folder)
        assert postgres.session_server(tmp_path, owner.pid, folder) == url != postgres_server
        owner.kill()
    home = Path(url.partition("host=")[2])
    deadline = time.monotonic() + 30
    while home.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_programs_are_found_in_the_path_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("initdb", "postgres"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert postgres.binaries() == tmp_path.resolve()
