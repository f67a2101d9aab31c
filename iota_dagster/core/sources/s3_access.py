"""S3 server access logs: one line for each request to a bucket, as S3 writes them into the log bucket.

S3 does not escape the quotes that a client sends in its referrer or user agent. So a line is read from both ends: its
head has a fixed number of fields without spaces, and behind the user agent no field has quotes.

A request id is no identity: the lines of the objects that one request deletes share it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import pyarrow.compute as pc

from iota_dagster.core.sources.columns import Words
from iota_dagster.core.sources.fields import Layout, integer, moment, text
from iota_dagster.core.sources.finders import ARN, IP, PLACE, PRINCIPAL, TRACE, URL, Finder
from iota_dagster.core.sources.text_columns import each, matched
from iota_dagster.core.sources.text_source import Part, TextSource
from iota_dagster.core.sources.tokens import BARE, QUOTED, Form

_NOBODY = ("-", "Anonymous")  # the latter in very old lines
_NULL = "-"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d) ?([+-]\d{4})")


def _requester(text: str) -> tuple[Words, ...]:
    """An ARN with its names; a canonical id or a service by its name."""
    return PRINCIPAL.find(text) if text.startswith("arn:") else ((text,), *((),) * (len(PRINCIPAL.gives) - 1))


_LAYOUT = Layout(
    (
        text("bucketowner", "Canonical user id of the bucket's owner"),
        text("bucket", "Bucket that was asked"),
        moment("time", "When the request was received (UTC)"),
        text("remoteip", "Address of the client, or of a proxy on the way", IP),
        text(
            "requester",
            "Who asked: ARN, canonical user id or service; null for a request without credentials",
            Finder(PRINCIPAL.gives, _requester),
        ),
        text("requestid", "S3's id of the request; the lines of the objects that it deleted share it", TRACE),
        text("operation", "What was done, e.g. REST.GET.OBJECT, WEBSITE.GET.OBJECT, BATCH.DELETE.OBJECT"),
        text("key", "Key of the object, percent-encoded"),
        text("requesturi", "The first line of the request"),
        text("requestmethod", "HTTP method of the request"),
        text("requestpath", "Path and query of the request"),
        integer("httpstatus", "HTTP status of the answer"),
        text("errorcode", "S3's name of the error, e.g. AccessDenied"),
        integer("bytessent", "Bytes of the answer without its headers; null for none"),
        integer("objectsize", "Size of the whole object in bytes"),
        integer("totaltime", "Milliseconds from the request's first byte to the answer's last"),
        integer("turnaroundtime", "Milliseconds that S3 worked: from the request's last byte to the answer's first"),
        text("referrer", "Referer header, as the client sent it", URL),
        text("useragent", "User-Agent header, as the client sent it"),
        text("versionid", "Version of the object that the request named"),
        text("hostid", "S3's extended request id (x-amz-id-2)"),
        text("signatureversion", "How the request was signed: SigV2 or SigV4"),
        text("ciphersuite", "TLS cipher; null over plain HTTP"),
        text("authenticationtype", "Where the signature was: AuthHeader, QueryString (presigned URL), …"),
        text("hostheader", "Endpoint that was asked", PLACE),
        text("tlsversion", "TLS version that was negotiated"),
        text("accesspointarn", "Access point that the request came through", ARN),
        text("aclrequired", "Yes where only an ACL allowed the request"),
        text("sourceregion", "AWS region that the request came from"),
        text("tail", "What S3 has appended to the line since"),
    ),
    time=("time",),
)
_AFTER_AGENT = 11
"""Fields behind the user agent, from `versionid` on."""


def _line(request: str, referrer: str, agent: str) -> re.Pattern[str]:
    """A line whose quoted fields are as said; old lines end with the version id."""
    return re.compile(
        rf'(\S+) (\S+) \[([^\]]+)\] (\S+) (\S+) (\S+) (\S+) (\S+) (?:"{request}"|-)'
        rf' (\d{{3}}|-) (\S+) (\d+|-) (\d+|-) (\d+|-) (\d+|-) (?:"{referrer}"|-) (?:"{agent}"|-) ([^"]*)'
    )


# The request is one atom: each way to split it ends at its quote, and to try them all takes the square of its length.
_PLAIN = _line('((?>([^ "]+)(?: ([^"]*) [^ "]*)?[^"]*))', '([^"]*)', '([^"]*)')
# The client is free in its headers, but hardly in the request's first line: so that ends as early as it can.
_WITH_QUOTES = _line('(([^ "]+) (.*?) HTTP/[0-9.]+|.*?)', "(.*?)", "(.*)")
_LONGEST_WITH_QUOTES = 10 << 10  # S3 takes 8 KiB of headers; the time it takes to split grows with the square


@lru_cache(maxsize=4096)
def _time(written: str) -> str:
    """RFC 3339, or what is written where that is no time."""
    found = _TIME.fullmatch(written)
    if found is None or found[2] not in _MONTHS:
        return written
    day, month, year, clock, zone = found.groups()
    return f"{year}-{_MONTHS.index(month) + 1:02}-{day}T{clock}{'Z' if zone == '+0000' else zone}"


def _split(line: str) -> Sequence[str | None] | None:
    found = _PLAIN.fullmatch(line)
    if found is None and line[line.rfind('"') :].startswith('" ') and len(line) <= _LONGEST_WITH_QUOTES:
        found = _WITH_QUOTES.fullmatch(line)
    if found is None:
        return None
    *values, rest = found.groups()
    tail = rest.split(" ", _AFTER_AGENT - 1)
    row = [None if value == _NULL else value for value in (*values, *tail)]
    row += [None] * (_AFTER_AGENT - len(tail))
    row[2] = _time(values[2])
    if values[4] in _NOBODY:
        row[4] = None
    return row


_NUMBER = "(?:[0-9]++|-)"
_IN_BRACKETS = r"[!#-\\^-~]++"
_FORM = Form(
    [
        *(BARE, BARE, rf"\[{_IN_BRACKETS}", rf"{_IN_BRACKETS}\]", *[BARE] * 5, '(?:"[^" ][^"]*+"|-)'),
        *("(?:[0-9]{3}|-)", BARE, *[_NUMBER] * 4, *[f"(?:{QUOTED}|-)"] * 2, BARE),
    ],
    *[[BARE]] * (_AFTER_AGENT - 1),
)
_PLAIN_REQUEST = "^(?P<method>[^ ]+) (?P<path>[^ ]+) [^ ]*$"


def _request(line: str) -> tuple[str, str | None]:
    method, _, rest = line.partition(" ")
    path, space, _ = rest.rpartition(" ")
    return method, path if space else None


def _regular_lines(records: Sequence[bytes]) -> list[Part]:
    """The lines in which no client has put quotes, column by column."""
    places, tokens = _FORM.read(records)
    if not places:
        return []
    time = pc.binary_join_element_wise(tokens[2], tokens[3], " ")
    columns = each(("time",), time, lambda written: (_time(written[1:-1]),))
    columns |= each(("requester",), tokens[5], lambda name: (None if name in _NOBODY else name,))
    columns |= matched(("requestmethod", "requestpath"), tokens[9], _PLAIN_REQUEST, _request)
    names = [field.path for field in _LAYOUT.fields if field.path not in columns]
    return [Part(places, columns | dict(zip(names, [*tokens[:2], tokens[4], *tokens[6:]], strict=True)))]


SOURCE = TextSource(
    "AWS.S3ServerAccess",
    "s3_access_events",
    _LAYOUT,
    _split,
    description="Requests to S3 buckets: who read, wrote or deleted which object, and who was refused",
    marks="owner, bucket, [day/month/year:time zone], four fields, and an operation such as REST.GET.OBJECT",
    accepts=re.compile(
        rb"\S+ \S+ \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] \S+ \S+ \S+ [A-Z0-9]+\.[A-Z0-9_.]+ \S+ [\"-]"
    ),
    specificity=4,
    quick=_regular_lines,
    key=r"(?:^|/)\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9A-F]{16}$",
)
