"""`iota demo`: the whole platform on its own AWS; once through for scripts, and live until somebody ends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from subprocess import PIPE

import psutil
import pyarrow as pa
import pytest
from click.testing import CliRunner
from rich.console import Console

from iota_dagster.cli import iota
from iota_dagster.core.model import Alert
from iota_dagster.demo import traffic
from iota_dagster.demo.processes import answers
from iota_dagster.demo.view import page, showing, summary
from iota_dagster.demo.watch import Found, View

COUNTS = {"objects", "records", "events", "duplicates", "quarantined", "matches", "alerts"}
FIGURES = COUNTS | {"rows", "problems", "seconds"}
START = datetime(2026, 11, 22, 10, tzinfo=UTC)
DEMO = "from iota_dagster.cli import main; main()"


def test_the_demo_finds_the_attack_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IOTA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(traffic, "HOURS", 2)
    monkeypatch.setattr(traffic, "EVENTS_PER_HOUR", 200)
    before = dict(os.environ)

    result = CliRunner().invoke(iota, ["demo", "--once", "--json"], catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    figures = json.loads(result.stdout)
    assert set(figures) == FIGURES | {"accounts", "glue_partitions", "alert_titles", "answer"}
    assert figures["events"] == figures["rows"]["cloudtrail_events"] == 400
    assert figures["records"] == figures["events"] + figures["duplicates"]
    assert figures["duplicates"] > 0
    assert figures["quarantined"] == 0
    assert figures["accounts"] == 3
    assert figures["glue_partitions"] >= 2 * len(figures["rows"])
    assert len(figures["alert_titles"]) == figures["alerts"]
    for words in ("without MFA", "access key", "administrator rights", "many secrets", "StopLogging"):
        assert any(words in title for title in figures["alert_titles"]), words
    assert {"signin", "secretsmanager", "s3"} <= {row["service"] for row in figures["answer"]}
    assert list((tmp_path / "home" / "demo").iterdir()) == []
    assert dict(os.environ) == before


@pytest.mark.timeout(300)  # two starts of Dagster, perhaps on a machine with much else to do
def test_a_demo_leaves_no_process_behind_and_the_next_one_tidies_up_after_one_that_was_killed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with live_demo(home) as (demo, ui):
        while not answers(ui):
            assert psutil.wait_procs([psutil.Process(demo.pid)], timeout=0.2)[1], "it has ended"
        demo.kill()
        demo.wait()
        assert ended(home)
    assert len(list((home / "demo").iterdir())) == 2
    with live_demo(home) as (demo, _):
        demo.terminate()
        said = demo.communicate(timeout=60)[0]
        assert ended(home)
    assert (demo.returncode, "no alert yet" in said) == (0, True)
    assert list((home / "demo").iterdir()) == []


@contextmanager
def live_demo(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A demo that has begun to start Dagster, and its UI's address; whatever happens, none of its processes stays."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"IOTA_HOME": str(home)}
    with subprocess.Popen([sys.executable, "-c", DEMO, "demo"], env=environment, text=True, stdout=PIPE) as demo:
        try:
            assert demo.stdout is not None
            line = demo.stdout.readline()
            assert "Dagster: http://127.0.0.1:" in line
            assert len(processes(home)) >= 2, "the embedded AWS and Dagster"
            yield demo, line.split("Dagster: ")[1].strip()
        finally:
            for process in processes(home):
                with suppress(psutil.NoSuchProcess):
                    process.kill()


def processes(home: Path) -> list[psutil.Process]:
    """Every process that a demo in this home has to do with, whoever its parent is now."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            names = [*process.environ().values(), *(file.path for file in process.open_files())]
            if process.pid != os.getpid() and any(name.startswith(str(home)) for name in names):
                found.append(process)
    return found


def ended(home: Path) -> bool:
    """Whether no process of a demo is left, at once or soon."""
    while left := processes(home):  # what is ending may have started another meanwhile
        if psutil.wait_procs(left, timeout=60)[1]:
            return False
    return True


def view(seconds: float, alerts: int) -> View:
    answer = pa.table({"address": ["203.0.113.66"] * 20, "calls": range(20)})
    found = [Found(alert(number), 2.5 + number, live=True) for number in range(alerts)]
    return View(
        started=START,
        now=START + timedelta(seconds=seconds),
        folder=Path("home/demo/now"),
        ui="http://127.0.0.1:3000",
        ui_answers=True,
        put=500,
        figures={
            "objects": 480,
            "records": 25_000,
            "events": 14_400,
            "duplicates": 10_600,
            "quarantined": 0,
            "alerts": 6,
        },
        found=found,
        first_alert=START + timedelta(seconds=17.25) if alerts else None,
        glue_partitions=51,
        answer=answer if alerts else None,
    )


def alert(number: int) -> Alert:
    return Alert(
        id=f"a{number}",
        rule_id="AWS.Example",
        dedup="",
        period_start=START,
        period_minutes=60,
        severity="HIGH",
        title=f"alert {number} \x1b[31mred\x1b[0m",
        matches=1,
        first_event_time=START,
        last_event_time=START,
        status="open",
        created_at=START,
    )


@pytest.mark.parametrize("height", [10, 24, 60])
def test_the_page_shows_everything_and_fits_the_terminal(height: int) -> None:
    console = Console(file=StringIO(), width=120, height=height, record=True)
    console.print(page(view(30, 40), height))
    text = console.export_text()
    for words in ("480", "14,400", "10,600", "51", "first alert after 17.2 s", "22.0 s (median)", "127.0.0.1:3000"):
        assert words in text, words
    assert "alert 0 \\x1b[31mred" in text
    assert "203.0.113.66" in text
    assert ". home/demo/now/env" in text
    assert height < 20 or len(text.splitlines()) <= height


def test_without_a_terminal_every_alert_is_one_line_and_the_answer_comes_once() -> None:
    console = Console(file=StringIO(), width=100, record=True)
    with showing(console) as show:
        for number in range(4):
            show(view(number, number))
    text = console.export_text()
    assert text.count("HIGH: alert 0") == text.count("HIGH: alert 2") == 1
    assert "alert 1 \\x1b[31mred\\x1b[0m (3.5 s after its event)" in text
    assert text.count("What else came from") == 1
    assert text.count("Glue partitions 51") == 1


def test_an_alert_of_no_event_of_the_demo_is_told_without_a_time() -> None:
    console = Console(file=StringIO(), width=100, record=True)
    found = [Found(alert(0), None, live=False)]
    with showing(console) as show:
        show(replace(view(1, 0), found=found))
    text = console.export_text()
    assert "HIGH: alert 0" in text
    assert "after its event" not in text


def test_the_end_says_how_long_the_first_alert_took() -> None:
    text = summary(view(30, 3))
    assert "the first alert came 17.2 s after the start" in text
    assert "live alerts after 3.5 s (median), 4.5 s at most" in text
    assert "no alert yet" in summary(view(1, 0))
