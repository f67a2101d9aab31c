"""`make fuzz`: that it runs, finds nothing in a short while, and would say so if it did."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("atheris", reason="atheris is for Linux")
ROOT = Path(__file__).parents[1]
BROKEN = """
from scripts import fuzz
fuzz.account_for = lambda content: 1 // (b"eventType" not in content)
fuzz.main()
"""
"""As if an input with these bytes could not be read."""


def fuzz(
    *arguments: str | Path, code: str = "from scripts import fuzz; fuzz.main()"
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


def test_ten_seconds_of_fuzzing_find_nothing(tmp_path: Path) -> None:
    ran = fuzz("--seconds", "10", "--folder", tmp_path)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "stat::number_of_executed_units" in ran.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"corpus", "words"}


def test_what_is_found_is_shown_and_left_in_the_folder(tmp_path: Path) -> None:
    ran = fuzz("--seconds", "60", "--folder", tmp_path, code=BROKEN)
    assert ran.returncode != 0
    assert "ZeroDivisionError" in ran.stdout + ran.stderr
    (crash,) = tmp_path.glob("crash-*")
    assert b"eventType" in crash.read_bytes()


def test_an_input_can_be_read_again(tmp_path: Path) -> None:
    found = tmp_path / "crash-1"
    found.write_bytes(b'{"uuid":"u","eventType":"e","actor":{}}\n{"what":1}\n{')
    ran = fuzz("--again", found)
    assert (ran.returncode, ran.stdout) == (0, "{'damaged': 1, 'Okta.SystemLog': 1, 'unclassified': 1}\n")
