"""Which form lines of text have: separated values below a header, access logs, syslog, key=value. For `infer`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from iota_dagster.core.sources.infer_values import indicator_of, type_of_texts
from iota_dagster.core.sources.user_schema import UserMarks
from iota_dagster.core.sources.user_text import Cells

_HEADING = re.compile(r"[A-Za-z_@#][\w .()/@#:+-]{0,79}")
_QUOTED = r'(?:[^"\\]|\\.)*'
_ACCESS = (
    r"(?P<client>[^ ]+) (?:-|(?P<ident>[^ ]+)) (?:-|(?P<user>[^ ]+)) \[(?P<time>[^\]]+)\] "
    rf'"(?P<request>{_QUOTED})" (?P<status>[0-9]{{3}}) (?:-|(?P<bytes>[0-9]+))'
)
_FORMS = (
    _ACCESS,
    rf'{_ACCESS} "(?P<referrer>{_QUOTED})" "(?P<agent>{_QUOTED})"',
    r"<(?P<priority>[0-9]{1,3})>1 (?P<timestamp>[^ ]+) (?P<host>[^ ]+) (?P<app>[^ ]+) (?:-|(?P<process>[^ ]+)) "
    r"(?:-|(?P<message_id>[^ ]+)) (?:-|(?P<structured>(?:\[(?:[^\]\\]|\\.)*\])+))(?: (?P<message>.*))?",
)
"""Access logs (common, combined) and syslog as RFC 5424 has it."""
_PAIR = re.compile(r'([A-Za-z_][A-Za-z0-9_.-]*)=(?:"([^"\\]*)"|([^" ]*))(?: |$)')
TIME_FORMATS = ("%d/%b/%Y:%H:%M:%S %z", "%Y/%m/%d %H:%M:%S", "%a %b %d %H:%M:%S %Y", "%d %b %Y %H:%M:%S")
"""How lines write times beside RFC 3339, where no two readings are possible."""


def csv_marks(lines: Sequence[str]) -> UserMarks | None:
    """How lines below a header are separated; None where the first line is no header for all others."""
    found = [marks for delimiter in ",;\t|" if (marks := _separated(lines, delimiter))]
    return max(found, key=lambda marks: len(marks.columns), default=None)


def _separated(lines: Sequence[str], delimiter: str) -> UserMarks | None:
    cells = Cells(delimiter, '"')
    header, *rows = [cells.of(line) or [] for line in lines]
    if len(header) < 2 or not rows or {len(row) for row in rows} != {len(header)}:
        return None
    if len(set(header)) < len(header) or not all(map(_HEADING.fullmatch, header)):
        return None
    # Of words above words nobody can tell that the first are a header.
    told = any(_is_told(name, [row[place] for row in rows if row[place]]) for place, name in enumerate(header))
    return UserMarks(columns=tuple(header), delimiter=delimiter) if told else None


def _is_told(name: str, values: Sequence[str]) -> bool:
    kind = type_of_texts(name, values)
    told = kind != "text" or indicator_of("", values) is not None or time_format(values) is not None
    return bool(values) and told and name not in values


def pattern_of(lines: Sequence[str]) -> str | None:
    """A pattern that matches every line; None where no known form does."""
    for pattern in _FORMS:
        if all(map(re.compile(pattern).fullmatch, lines)):
            return pattern
    return _pairs(lines)


def _pairs(lines: Sequence[str]) -> str | None:
    """The pattern of lines with the same keys in the same order, each quoted always or never."""
    shapes = {tuple(_keys(line)) for line in lines}
    if len(shapes) != 1:
        return None
    (shape,) = shapes
    groups = [re.sub(r"\W", "_", key) for key, _ in shape]
    if len(shape) < 2 or len(set(groups)) < len(groups):
        return None
    parts = [
        re.escape(key) + (f'="(?P<{group}>[^"]*)"' if quoted else f'=(?P<{group}>[^" ]*)')
        for (key, quoted), group in zip(shape, groups, strict=True)
    ]
    return " ".join(parts)


def _keys(line: str) -> Iterator[tuple[str, bool]]:
    """The keys of a line's pairs, and whether each value is quoted; none where something else is in it."""
    found = list(_PAIR.finditer(line))
    if "".join(pair[0] for pair in found) == line and not line.endswith(" "):
        yield from ((pair[1], pair[2] is not None) for pair in found)


def time_format(texts: Sequence[str]) -> str | None:
    """The format in which all texts are times; None where there is none."""
    for form in TIME_FORMATS:
        if texts and all(_is_time(text, form) for text in texts):
            return form
    return None


def _is_time(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True
