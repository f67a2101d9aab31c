"""A user's own log type as plain values: what its YAML file says, checked; see `user_files` for reading one.

A schema crosses process borders with every batch as its canonical form, and is compared and hashed by that too: the
fixed values `1` and `true` are equal to Python, but not the same.
"""

from __future__ import annotations

import zlib
from typing import Literal

import msgspec
from msgspec.structs import replace

Format = Literal["json", "csv", "regex"]
FieldType = Literal["text", "integer", "number", "flag", "time", "words", "json"]
Indicator = Literal["ip", "place", "url", "domain", "email", "user", "arn", "account", "instance", "sha256", "trace"]
Value = str | int | float | bool
"""What a field of a JSON record can be fixed to."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What all parts of a schema share."""


class UserField(_Part, frozen=True):
    """One column of the table.

    `path` leads to its value: keys with dots in JSON (`user.name`, `roles[].id`), a column's heading in CSV, a group's
    name in a pattern; without one it is the column's name. A record without a `required` field is of another type.
    """

    name: str
    type: FieldType
    description: str
    path: str = ""
    indicator: Indicator | None = None
    required: bool = False

    @property
    def place(self) -> str:
        """Where its value is."""
        return self.path or self.name


class UserTime(_Part, frozen=True):
    """Which field says when an event happened, and how.

    `format` is `rfc3339`, `epoch` (any unit) or a pattern of `strptime`; "" takes the first two. `zone` (an IANA name)
    is where a time without one of its own was written.
    """

    field: str
    format: str = ""
    zone: str = "UTC"


class UserMarks(_Part, frozen=True):
    """What tells a record of the type from others, beside the required fields; each format has its own.

    JSON: `values`, the fixed values (or several) of some paths. CSV: `header`, whether a first line names the columns,
    `columns`, the headings (by default the fields' places), `delimiter` and `quote` ("": none). Regex: `pattern`.
    """

    values: dict[str, Value | tuple[Value, ...]] = msgspec.field(default_factory=dict)
    header: bool = True
    columns: tuple[str, ...] = ()
    delimiter: str = ","
    quote: str = '"'
    pattern: str = ""


_NO_MARKS = UserMarks()


class UserSchema(_Part, frozen=True):
    """One log type. `time`, `identity`, `account` and `region` name fields by their columns."""

    log_type: str
    format: Format
    description: str
    fields: tuple[UserField, ...]
    table: str = ""
    time: UserTime | None = None
    identity: tuple[str, ...] = ()
    account: str = ""
    region: str = ""
    marks: UserMarks = _NO_MARKS
    key: str = ""

    @property
    def table_name(self) -> str:
        """The lake table: its own name, else one made of the log type's."""
        return self.table or f"{self.log_type.lower().replace('.', '_')}_events"

    @property
    def canonical(self) -> bytes:
        """The schema as JSON: what tells it from others, and what `of_canonical` takes."""
        bare = self.marks == _NO_MARKS  # only the default itself is left out, not what is equal to it
        return _encode(replace(self, marks=_NO_MARKS) if bare else self)

    @property
    def version(self) -> int:
        """A number that changes with the schema, its descriptions aside: they change no reading."""
        fields = tuple(replace(item, description="") for item in self.fields)
        return zlib.crc32(replace(self, description="", fields=fields).canonical)

    def field(self, name: str) -> UserField:
        """The field of a column; `KeyError` when there is none."""
        for item in self.fields:
            if item.name == name:
                return item
        raise KeyError(name)

    def __reduce__(self) -> tuple[object, tuple[bytes]]:
        return of_canonical, (self.canonical,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UserSchema) and self.canonical == other.canonical

    def __hash__(self) -> int:
        return hash(self.canonical)


_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(UserSchema).decode


def of_canonical(text: bytes) -> UserSchema:
    """The schema of its canonical form."""
    return _decode(text)
