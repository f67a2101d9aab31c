"""Logs of commands, of the server and of runs: lines for people, or one JSON object per line (`log_format`).

A JSON line has `time`, `level`, `logger` and `message`, whichever of `FIELDS` are known, and `error` with a traceback.
What a line is about (`run`, `hour`, `batch`) comes from the call's `extra`, from `about(…)` around it, or from Dagster,
for what a run says with `context.log`. Everything else that a record carries is left out, and what the settings keep
secret is struck out: a log is read by more people than may know it.
"""

from __future__ import annotations

import copy
import json
import logging
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import unquote, unquote_plus, urlsplit

from pydantic import BaseModel, SecretStr

from iota_dagster.core.text import one_line, printable
from iota_dagster.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterLogManager

FIELDS = ("run", "job", "step", "event", "hour", "batch", "integration", "log_type")
"""What a line may be about."""
FIGURES = ("objects", "bytes", "records", "rows", "duplicates", "quarantined", "matches", "alerts", "failures")
"""What a line may count."""
OURS = "iota_dagster"
_STRUCK_OUT = "***"
_SECRET = ("password", "sslpassword")
"""Parameters of a database URL that nobody may read."""
_PARTITION, _FIRST, _LAST = (
    "dagster/partition",
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)
_about: ContextVar[Mapping[str, str]] = ContextVar("about", default={})  # noqa: B039  # never changed in place


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """Every line of the block, whoever writes it in this thread, is about this."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def configure(settings: Settings) -> None:
    """Log to standard error as the settings say: our own lines from `log_level` on, those of libraries from WARNING.

    May be called again; the last call counts.
    """
    handler = _StandardError()
    handler.setFormatter(formatter(settings))
    root = logging.getLogger()
    for old in [item for item in root.handlers if isinstance(item, _StandardError)]:
        root.removeHandler(old)
    root.addHandler(handler)
    logging.getLogger(OURS).setLevel(settings.log_level)


def configure_run(settings: Settings, log: DagsterLogManager) -> None:
    """The same in a run's process, whose `context.log` Dagster prints in colours: in JSON instead, if that is set."""
    configure(settings)
    for console in log._dagster_handler._loggers:  # Dagster chooses its console by run configuration alone
        for handler in console.handlers:
            handler.setFormatter(_of_console(settings, handler.formatter))


def is_interruption(event: object) -> bool:
    """Whether a step or a run ended because somebody ended it: by Ctrl-C, or in the UI."""
    error = getattr(getattr(event, "event_specific_data", None), "error", None)
    return getattr(error, "cls_name", None) in ("DagsterExecutionInterruptedError", "KeyboardInterrupt")


def is_no_interruption(record: logging.LogRecord) -> bool:
    """A hundred lines of where the code was when somebody ended it help nobody; Dagster's pages have them."""
    return not is_interruption(_dagster(record).get("dagster_event"))


def _of_console(settings: Settings, theirs: logging.Formatter | None) -> logging.Formatter:
    if settings.log_format == "json" or theirs is None:
        return formatter(settings)
    return theirs if isinstance(theirs, CleanLine) else CleanLine(theirs, secrets_of(settings))


def formatter(settings: Settings) -> logging.Formatter:
    """What makes a line of a record."""
    secrets = secrets_of(settings)
    return JsonLine(secrets) if settings.log_format == "json" else TextLine(secrets)


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """The settings' secrets, the longest first: whatever is declared as one, and the passwords in the store's URL."""
    found = {*_declared_secrets(settings), *_passwords(settings.store_url)}
    return tuple(sorted(found - {""}, key=len, reverse=True))


def _declared_secrets(value: Any) -> Iterator[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case BaseModel():
            for name in type(value).model_fields:
                yield from _declared_secrets(getattr(value, name))
        case tuple():
            for item in value:
                yield from _declared_secrets(item)


def _passwords(url: str) -> Iterator[str]:
    """A database URL's passwords, before its host or among its parameters, as they are and as they are written."""
    import sqlalchemy as sa

    try:
        known = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        known = sa.URL.create("unreadable")  # whoever opens the store says so
    yield from (known.password or "", *(word for name in _SECRET for word in known.normalized_query.get(name, ())))
    for written in (urlsplit(url).password or "", *re.findall(rf"[?&](?:{'|'.join(_SECRET)})=([^&]*)", url)):
        yield from (written, unquote(written), unquote_plus(written))


class TextLine(logging.Formatter):
    """`time level logger: message (batch=…)`; what a message quotes begins no new line and steers no terminal."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        """`secrets` are struck out."""
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows it."""
        facts = " ".join(f"{name}={value}" for name, value in _facts(record).items())
        line = one_line(f"{record.name}: {_message(record)}{f' ({facts})' if facts else ''}")
        error = _error(self, record)
        return _struck(
            f"{_time(record)} {record.levelname} {line}{f'{chr(10)}{printable(error)}' if error else ''}", self._secrets
        )


class CleanLine(logging.Formatter):
    """The lines of another formatter, of Dagster's in colours, for messages that steer no terminal."""

    def __init__(self, theirs: logging.Formatter, secrets: Collection[str] = ()) -> None:
        """`secrets` are struck out."""
        super().__init__()
        self._theirs, self._secrets = theirs, secrets

    def format(self, record: logging.LogRecord) -> str:
        """What they make of a cleaned copy: the record itself goes on to others as it is."""
        clean = copy.copy(record)
        clean.msg, clean.args = printable(record.getMessage()), None
        if record.exc_info and record.exc_info[0] is not None:
            clean.exc_text = printable(self._theirs.formatException(record.exc_info))
        return _struck(self._theirs.format(clean), self._secrets)


class JsonLine(logging.Formatter):
    """One JSON object in ASCII, so that it is one line and valid whatever a message quotes."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        """`secrets` are struck out."""
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The record as an object; what is not known is left out."""
        error = _error(self, record)
        line = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            **_facts(record),
            **({"error": error} if error else {}),
        }
        return json.dumps(
            {name: _struck(value, self._secrets) if isinstance(value, str) else value for name, value in line.items()}
        )


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is at that moment: commands are tested, and runs captured, by exchanging it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    """The message alone: Dagster puts the run and the step before it, which are fields here."""
    return str(_dagster(record).get("orig_message") or record.getMessage())


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    """What a record is about and what it counts, in a fixed order."""
    found = {**_about.get(), **_run_facts(_dagster(record)), **vars(record)}
    values = ((name, found.get(name)) for name in (*FIELDS, *FIGURES))
    return {name: value for name, value in values if isinstance(value, str | int | float) and value != ""}


def _run_facts(known: Mapping[str, Any]) -> dict[str, Any]:
    """What Dagster knows of a line of a run."""
    tags, event = known.get("job_tags") or {}, known.get("dagster_event")
    span = f"{tags[_FIRST]}...{tags[_LAST]}" if _FIRST in tags and _LAST in tags else None
    found = {
        "run": known.get("run_id"),
        "job": known.get("job_name"),
        "step": known.get("step_key"),
        "event": getattr(event, "event_type_value", None),
        "hour": tags.get(_PARTITION, span),
    }
    return {name: value for name, value in found.items() if value}


def _dagster(record: logging.LogRecord) -> Mapping[str, Any]:
    return getattr(record, "dagster_meta", None) or {}


def _error(made_by: logging.Formatter, record: logging.LogRecord) -> str | None:
    """The traceback, or what Dagster says of a step that failed."""
    if record.exc_info and record.exc_info[0] is not None:
        return made_by.formatException(record.exc_info)
    data = getattr(_dagster(record).get("dagster_event"), "event_specific_data", None)
    error = getattr(data, "error", None)
    return str(error.to_string()) if error is not None else None


def _struck(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, _STRUCK_OUT)
    return text
