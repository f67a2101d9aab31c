"""User-defined log types for tests: schemas of each format, written as a user writes them."""

from __future__ import annotations

from pathlib import Path

from iota_dagster.core.sources.base import Source
from iota_dagster.core.sources.registry import SOURCES
from iota_dagster.core.sources.user_defined import user_source
from iota_dagster.core.sources.user_files import read_schema
from iota_dagster.core.sources.user_schema import UserSchema

APP = """\
log_type: Custom.AppLog
format: json
description: What people do in our application
key: ^apps/
time: {field: at}
identity: [request, part]
account: account
region: region
marks: {values: {kind: [audit, access]}}
fields:
  - {name: at, type: time, description: When it happened, required: true}
  - {name: request, type: text, description: The request, path: request.id, indicator: trace, required: true}
  - {name: part, type: integer, description: Which part of the request}
  - {name: user, type: text, description: Who, path: user.login, indicator: user}
  - {name: addresses, type: words, description: The way here, path: "hops[].address", indicator: ip}
  - {name: took, type: number, description: Seconds}
  - {name: ok, type: flag, description: Whether it worked}
  - {name: dotted, type: text, description: A key with a dot, path: "a\\\\.b"}
  - {name: detail, type: json, description: What else}
  - {name: account, type: text, description: AWS account, indicator: account}
  - {name: region, type: text, description: AWS region}
"""
DOORS = """\
log_type: Custom.Doors
format: csv
description: Who went through which door
time: {field: at, format: "%d.%m.%Y %H:%M:%S", zone: Europe/Berlin}
fields:
  - {name: at, type: time, description: When, path: Zeit}
  - {name: who, type: text, description: Who, path: Name, indicator: user, required: true}
  - {name: door, type: integer, description: Which door, path: Tür Nr}
marks: {delimiter: ";"}
"""
PLAIN = """\
log_type: Custom.Plain
format: csv
description: Lines without a header
time: {field: at}
fields:
  - {name: at, type: time, description: When, required: true}
  - {name: note, type: text, description: What}
marks: {header: false, columns: [at, ignored, note]}
"""
GATE = """\
log_type: Custom.Gate
format: regex
description: What the gate says
time: {field: at}
fields:
  - {name: at, type: time, description: When}
  - {name: level, type: text, description: How bad}
  - {name: source, type: text, description: From where, path: ip, indicator: ip}
  - {name: message, type: text, description: What}
marks:
  pattern: '(?P<at>\\S+) \\[(?P<level>[A-Z]+)\\](?: from (?P<ip>[0-9a-f.:]+))? (?P<message>.*)'
"""


def schema_of(folder: Path, text: str) -> UserSchema:
    """The schema that a text is, with nothing but the built-in types beside it."""
    file = folder / "type.yaml"
    file.write_text(text, encoding="utf-8")
    return read_schema(file, SOURCES.built_in)


def source_of(folder: Path, text: str) -> Source:
    """The source of such a schema."""
    return user_source(schema_of(folder, text))
