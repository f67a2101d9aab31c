"""Aurora MySQL audit logs (advanced auditing): connections, statements and the tables that they touched.

A line has ten fields between commas; the statement stands in single quotes, with backslashes before quotes and for
line ends. A user name is not escaped, and whoever tries to sign in may choose it: so of the ways to split a line the
one with the shortest name counts for which the rest of the line is whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from iota_dagster.core.sources.fields import Layout, integer, moment, text
from iota_dagster.core.sources.finders import PLACE, USER
from iota_dagster.core.sources.text_source import TextSource

_LAYOUT = Layout(
    (
        moment("timestamp", "When it happened (UTC); lines of one file are not in this order"),
        text("serverHost", "Instance of the cluster"),
        text("username", "Database user", USER),
        text("host", "Address or name of the client's host", PLACE),
        integer("connectionId", "Number of the connection"),
        integer("queryId", "Number of the statement, shared by the lines of the tables it touched; 0 for a connection"),
        text(
            "operation",
            "CONNECT, FAILED_CONNECT, DISCONNECT, QUERY, or of a table READ, WRITE, CREATE, ALTER, RENAME, DROP",
        ),
        text("database", "Database that was in use"),
        text("object", "The statement of a QUERY without its quotes and escapes, else the table"),
        integer("retCode", "Error number of the statement or connection, 0 for none; null for tables"),
    ),
    time=("timestamp",),
)

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "'": "'", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\([nrtbf'\"\\])")
_QUOTED = r"'([^'\\]*(?:\\.[^'\\]*)*)'"


def _line(name: str, statement: str, table: str, end: str = "") -> re.Pattern[str]:
    """A line whose free fields are as said."""
    return re.compile(
        rf"(\d{{16}}),([^,]*),({name}),([^,]*),(\d+),(\d+),([A-Z_]+),([^,]*),(?:{statement}|({table})),(\d*){end}",
        re.DOTALL,
    )


_NAME = ".{0,200}?"  # MySQL's names are shorter; without a bound a crafted line would take for ever
_SPLITS = (
    _line("[^,]*", _QUOTED, "[^,']*"),
    _line(_NAME, _QUOTED, "[^,']*"),
    _line(_NAME, "'(.*)'", ".*"),
    _line(_NAME, "'(.*)'", ".*", "(?:,.*)?"),  # fields that AWS may append
)
_STATEMENT, _TABLE = 8, 9


def _split(line: str) -> Sequence[str | int | None] | None:
    found = next((found for split in _SPLITS if (found := split.fullmatch(line))), None)
    if found is None:
        return None
    values = list(found.groups())
    table = values.pop(_TABLE)
    statement = values[_STATEMENT]
    values[_STATEMENT] = table if statement is None else _ESCAPE.sub(_plain, statement)
    time, *others = values
    return int(time), *(value or None for value in others)


def _plain(escape: re.Match[str]) -> str:
    return _ESCAPES[escape[1]]


SOURCE = TextSource(
    "AWS.AuroraMySQLAudit",
    "aurora_mysql_audit_events",
    _LAYOUT,
    _split,
    description="Connections to Aurora MySQL clusters, statements, and the tables that they touched",
    marks="microseconds since 1970, server, user, host, two numbers and an operation, between commas",
    accepts=re.compile(rb"\d{16},[^,]*,.{0,200}?,[^,]*,\d+,\d+,[A-Z_]+,"),
    specificity=5,
    key=r"audit\.log",
)
