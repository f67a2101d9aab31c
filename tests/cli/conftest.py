"""Where the commands of these tests run."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder is the test's own, and the home is to be the folder `home` in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IOTA_HOME", str(tmp_path / "home"))
