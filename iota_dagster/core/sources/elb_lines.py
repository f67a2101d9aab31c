r"""How the lines of the three kinds of Elastic Load Balancers split into fields.

An application load balancer writes what a client sends in quotes, with `\x22` for a quote in it; fields have been
appended over the years. A network load balancer writes lines of its TLS listeners only, and no field has a space. A
classic one writes no type, and its oldest lines end with the request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from iota_dagster.core.sources.text_source import Split

Values = list[Any]
_Read = Callable[[str], Values | None]
"""A line → its values in the order of the names below, `-` for null; the last ones may be missing."""

_NULL = "-"
_ESCAPED = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")

RESULT = (
    "requestProcessingTime", "targetProcessingTime", "responseProcessingTime", "elbStatusCode", "targetStatusCode",
    "receivedBytes", "sentBytes",
)  # fmt: skip
REQUEST = ("requestHttpMethod", "requestUrl", "requestHttpVersion", "requestHost")
TARGET_GROUP = ("targetGroupArn", "targetGroupRegion", "targetGroupAccount")
CERTIFICATE = ("chosenCertArn", "certRegion", "certAccount")

_APPLICATION = (
    "type", "timestamp", "elb", "clientIp", "clientPort", "targetIp", "targetPort", *RESULT, *REQUEST, "userAgent",
    "sslCipher", "sslProtocol", *TARGET_GROUP, "traceId", "domainName", *CERTIFICATE, "matchedRulePriority",
    "requestCreationTime", "actionsExecuted", "redirectUrl", "errorReason",
)  # fmt: skip
APPENDED = (
    "targetPortList", "targetStatusCodeList", "classification", "classificationReason", "connTraceId",
    "transformedHost", "transformedUri", "requestTransformStatus", "tail",
)  # fmt: skip
_NETWORK = (
    "type", "timestamp", "elb", "listener", "clientIp", "clientPort", "destinationIp", "destinationPort",
    "connectionTime", "tlsHandshakeTime", "receivedBytes", "sentBytes", "incomingTlsAlert", *CERTIFICATE,
    "sslCipher", "sslProtocol", "domainName", "alpnFeProtocol", "alpnBeProtocol", "alpnClientPreferenceList",
    "requestCreationTime", "tail",
)  # fmt: skip
_CLASSIC = (
    "type", "timestamp", "elb", "clientIp", "clientPort", "targetIp", "targetPort", *RESULT, *REQUEST, "userAgent",
    "sslCipher", "sslProtocol",
)  # fmt: skip

_SPACES = {
    7: [12, 1, 4],  # up to the trace id
    11: [12, 1, 4, 1, 1],  # up to the rule's priority
    17: [12, 1, 4, 1, 1, 3, 1, 1],  # up to the reason of an error, and what was appended later
}
"""Spaces before and between an application load balancer's quoted fields, by how many parts the quotes make."""
_QUOTES = 16
_AGENT_WITH_QUOTES = re.compile(r'(.*)"((?: [^ "]+){3} "[^"]*".*)')

_START = r"\d{4}-\d\d-\d\dT[0-9:.]+Z? "
_DURATIONS = r"-?[0-9.]+ -?[0-9.]+ -?[0-9.]+ "
STARTS = (
    rf"[a-z][a-z0-9]* {_START}[^ /\"]*/[^ \"]+ [^ \"]+ [^ \"]+ {_DURATIONS}"
    rf"|tls [0-9.]+ {_START}[^ /\"]*/[^ \"]+ [^ \"]+ [^ \"]+:\d+ [^ \"]+:\d+ "
    rf"|{_START}[A-Za-z0-9-]+ [^ \"]+:\d+ [^ \"]+ {_DURATIONS}"
)
"""How the lines of each kind begin: with a slash in the name of the load balancer, except for classic ones."""


def splitter(names: Sequence[str]) -> Split:
    """A function from a line of any kind to the values of the named fields; None for a line that is not whole.

    The names are those above. `actionsExecuted` and `alpnClientPreferenceList` are tuples of texts.
    """
    of_application = _picker(names, _application, (*_APPLICATION, *APPENDED))
    of_network, of_classic = _picker(names, _network, _NETWORK), _picker(names, _classic, _CLASSIC)

    def split(line: str) -> Sequence[Any] | None:
        if line[:1].isdigit():
            return of_classic(line)
        return of_network(line) if line.startswith("tls ") else of_application(line)

    return split


def _picker(names: Sequence[str], read: _Read, known: Sequence[str]) -> Split:
    """What takes the named values out of those that `read` finds in a line, which are called `known`."""
    pick = itemgetter(*(known.index(name) if name in known else len(known) for name in names))

    def picked(line: str) -> Sequence[Any] | None:
        found = read(line)
        if found is None:
            return None
        values: Values = [None if value == _NULL else value for value in found]
        values += [None] * (len(known) + 1 - len(values))
        row: Sequence[Any] = pick(values)
        return row

    return picked


def _application(line: str) -> Values | None:
    parts = line.split('"', _QUOTES)
    if not _is_whole(parts):
        line = _escaped(line)
        parts = line.split('"', _QUOTES)
        if not _is_whole(parts):
            return None
    if "\\x" in line:
        parts[1:_QUOTES:2] = map(unescaped, parts[1:_QUOTES:2])
    kind, time, elb, client, target, *result, _ = parts[0].split(" ")
    _, cipher, protocol, group, _ = parts[4].split(" ")
    values: Values = [kind, time, elb, *peer(client), *peer(target), *result, *request_line(parts[1]), parts[3]]
    values += (cipher, protocol, *arn(group), parts[5])
    if len(parts) > 7:
        values += (parts[7], *arn(parts[9]), *parts[10].split(" ")[1:3])
    if len(parts) > 11:
        values += (word_list(parts[11]), parts[13], parts[15], *_appended(parts[16]))
    return values


def _is_whole(parts: Sequence[str]) -> bool:
    return [part.count(" ") for part in parts[:-1:2]] == _SPACES.get(len(parts))


def _escaped(line: str) -> str:
    """The line with quotes in the request and the user agent escaped, should a client have got them through."""
    before, _, rest = line.partition('"')
    request, _, rest = rest.partition('" "')
    found = _AGENT_WITH_QUOTES.fullmatch(rest)
    if found is None:
        return line
    request, agent = request.replace('"', "\\x22"), found[1].replace('"', "\\x22")
    return f'{before}"{request}" "{agent}"{found[2]}'


def _appended(text: str) -> Values:
    """The values of `APPENDED`, some with quotes and some without; what follows them is `tail`."""
    tokens: list[str] = []
    for number, part in enumerate(text.split('"')):
        if number % 2:
            tokens.append(part)
        elif part != " ":
            tokens += part.split()
    known = len(APPENDED) - 1
    return tokens if len(tokens) <= known else [*tokens[:known], " ".join(tokens[known:])]


def _network(line: str) -> Values | None:
    fields = line.split(" ", 22)
    if len(fields) < 18:
        return None
    kind, _, time, elb, listener, client, destination, *numbers = fields[:12]
    certificate, _, cipher, protocol, _, domain, *protocols = fields[12:20]
    values: Values = [
        kind,
        utc(time),
        elb,
        listener,
        *peer(client),
        *peer(destination),
        *numbers,
        *arn(certificate),
    ]
    values += (cipher, protocol, domain, *protocols, *map(word_list, fields[20:21]), *map(utc, fields[21:22]))
    return values + fields[22:]


def _classic(line: str) -> Values | None:
    head, _, rest = line.partition(' "')
    fields = head.split(" ")
    if len(fields) != 11 or not rest:
        return None
    time, elb, client, target, *result = fields
    request, _, agent = rest.partition('" "')
    values: Values = ["classic", time, elb, *peer(client), *peer(target), *result, *request_line(request.rstrip('" '))]
    return values + agent.replace('" ', " ").rsplit(" ", 2) if agent else values


def peer(text: str) -> tuple[str, str | None]:
    """An address, which may be in brackets, and its port; what has no port is taken as it stands."""
    address, _, port = text.rpartition(":")
    if address and port.isdigit():
        return address.strip("[]"), port
    return text, None


def request_line(text: str) -> tuple[str | None, str | None, str | None, str | None]:
    """Method, URL, version and host; the URL may hold spaces."""
    method, _, rest = text.partition(" ")
    url, _, version = rest.rpartition(" ")
    if not url:
        return method, rest, None, None
    _, separator, place = url.partition("://")
    return method, url, version, _host(place) if separator else None


def _host(place: str) -> str:
    host = place.partition("/")[0]
    return host if host.startswith("[") else host.partition(":")[0]


@lru_cache(maxsize=4096)
def arn(text: str) -> tuple[str, str | None, str | None]:
    """An ARN, and the region and the account in it."""
    parts = text.split(":", 5)
    return (text, parts[3] or None, parts[4] or None) if len(parts) == 6 else (text, None, None)


@lru_cache(maxsize=4096)
def word_list(written: str) -> tuple[str, ...] | None:
    """The words between commas, in quotes or not."""
    return None if written == _NULL else tuple(written.replace('"', "").split(","))


def utc(time: str) -> str:
    """A time with its zone, which is always UTC."""
    return time if time.endswith(("Z", _NULL)) else f"{time}Z"


def unescaped(text: str) -> str:
    r"""The text with its bytes in place of `\xNN`; those that are no UTF-8 stay as they are."""
    return _ESCAPED.sub(_plain, text)


def _plain(escaped: re.Match[str]) -> str:
    try:
        return bytes.fromhex(escaped[0].replace("\\x", "")).decode()
    except UnicodeDecodeError:
        return escaped[0]
