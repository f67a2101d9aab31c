"""Logs: one line per record whatever it quotes, with what it is about, and without secrets."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.logging_setup import OURS, CleanLine, JsonLine, TextLine, about, configure, secrets_of
from iota_dagster.settings import Integration, Settings

Written = Callable[[], str]
SECRET, PASSWORD = "example-external-id", "example/password"


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What has been logged; afterwards logging is as it was."""
    root, ours = logging.getLogger(), logging.getLogger(OURS)
    handlers, level = list(root.handlers), ours.level
    yield lambda: capsys.readouterr().err
    root.handlers[:] = handlers
    ours.setLevel(level)


def settings(folder: Path, **more: Any) -> Settings:
    role = "arn:aws:iam::111122223333:role/reader"
    place = Integration(name="logs", bucket="example-logs", role_arn=role, external_id=SECRET)
    return Settings(
        home=folder,
        store_url=f"postgresql://iota:{quote(PASSWORD, safe='')}@db.example.com/iota",
        integrations=(place,),
        **more,
    )


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    return logging.getLogger(OURS).makeRecord(OURS, logging.INFO, "file", 1, message, arguments, None, extra=extra)


@given(st.text(), st.text())
def test_a_json_line_is_one_line_and_says_what_was_said(message: str, batch: str) -> None:
    line = JsonLine().format(record("%s", message, batch=batch))
    assert line.isascii()
    assert len(line.splitlines()) == 1
    said = json.loads(line)
    assert (said["message"], said.get("batch", "")) == (message, batch)


def test_a_message_cannot_forge_a_line() -> None:
    assert len(TextLine().format(record("key\r\n2026-11-22 INFO root: all is well")).splitlines()) == 1


def test_a_line_says_what_it_is_about_and_nothing_else_that_it_carries(written: Written, tmp_path: Path) -> None:
    configure(settings(tmp_path, log_format="json"))
    log = logging.getLogger(f"{OURS}.core.example")
    with about(run="r-1", batch="b-1"):
        log.info("%s rows", 3, extra={"rows": 3, "token": "example-token", "integration": "logs"})
        with about(batch="b-2"):
            log.warning("a file is gone")
    log.info("done")
    lines = [json.loads(line) for line in written().splitlines()]
    assert all(line.pop("time").endswith("Z") for line in lines)
    common = {"level": "INFO", "logger": "iota_dagster.core.example"}
    assert lines == [
        {**common, "message": "3 rows", "run": "r-1", "batch": "b-1", "integration": "logs", "rows": 3},
        {**common, "level": "WARNING", "message": "a file is gone", "run": "r-1", "batch": "b-2"},
        {**common, "message": "done"},
    ]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_of_the_settings_is_logged(written: Written, tmp_path: Path, log_format: str) -> None:
    configure(settings(tmp_path, log_format=log_format))
    try:
        raise ValueError(f"login with {PASSWORD} failed")
    except ValueError:
        logging.getLogger(OURS).exception("assumed with %s", SECRET, extra={"integration": SECRET})
    text = written()
    assert SECRET not in text
    assert PASSWORD not in text
    assert "login with *** failed" in text


def test_configuring_again_replaces_what_was_configured(written: Written, tmp_path: Path) -> None:
    configure(settings(tmp_path))
    configure(settings(tmp_path, log_level="ERROR"))
    logging.getLogger(OURS).warning("not shown")
    logging.getLogger(OURS).error("shown", extra={"batch": "b-1"})
    (line,) = written().splitlines()
    assert line.endswith(f"ERROR {OURS}: shown (batch=b-1)")


def test_of_libraries_only_warnings_are_logged(written: Written, tmp_path: Path) -> None:
    configure(settings(tmp_path))
    logging.getLogger("botocore.credentials").info("found credentials")
    assert written() == ""


@given(st.text(), st.text())
def test_what_a_text_line_quotes_steers_no_terminal(message: str, integration: str) -> None:
    assert TextLine().format(record("%s", message, integration=integration)).isprintable()


def test_a_traceback_steers_no_terminal_either() -> None:
    assert "\x1b" not in TextLine().format(failed())


def failed() -> logging.LogRecord:
    try:
        raise ValueError("key \x1b]0;all is well\x07")
    except ValueError:
        made = record("with %s", "\x1b[2J")
        made.exc_info = sys.exc_info()
        return made


def test_dagsters_own_lines_keep_their_form_and_are_cleaned() -> None:
    said = failed()
    line = CleanLine(logging.Formatter("\x1b[34m%(name)s\x1b[0m %(message)s"), ["well"]).format(said)
    assert line.startswith(f"\x1b[34m{OURS}\x1b[0m with \\x1b[2J\nTraceback")
    assert line.endswith(r"ValueError: key \x1b]0;all is ***\x07")
    assert (said.msg, said.args, said.exc_text) == ("with %s", ("\x1b[2J",), None)  # it goes on to Dagster's own log


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://iota@db.example.com/iota?password=example%2Fpass+word&sslmode=require",
        "postgresql:///iota?host=db.example.com&sslpassword=example%2Fpass+word",
        "postgresql://iota:example%2Fpass+word@db.example.com/iota",
    ],
)
def test_a_password_is_known_wherever_it_stands_in_the_url(tmp_path: Path, url: str) -> None:
    found = secrets_of(Settings(home=tmp_path, store_url=url))
    assert "example%2Fpass+word" in found  # as the URL is written
    assert {"example/pass word", "example/pass+word"} & set(found)  # as the driver has it
    assert TextLine(found).format(record("%s", url)).count("***") == 1
