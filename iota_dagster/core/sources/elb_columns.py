"""The regular lines of load balancers, column by column: what `elb_lines` says of each, many at once.

Whatever is not plain goes through the functions of `elb_lines` itself, once per distinct text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from iota_dagster.core.sources.columns import TEXT, WORDS
from iota_dagster.core.sources.elb_lines import (
    APPENDED,
    CERTIFICATE,
    REQUEST,
    RESULT,
    TARGET_GROUP,
    arn,
    peer,
    request,
    unescaped,
    utc,
    word_list,
)
from iota_dagster.core.sources.text_source import Part
from iota_dagster.core.sources.tokens import BARE, EITHER, QUOTED, Form

_Columns = dict[str, pa.Array]

_APPLICATION = Form(
    [f"(?![0-9]|tls ){BARE}", *[BARE] * 11, QUOTED, QUOTED, BARE, BARE, BARE, QUOTED],
    [QUOTED, QUOTED, BARE],
    [BARE],
    [QUOTED, QUOTED, QUOTED],
    *[[EITHER]] * len(APPENDED),
)
_ANY = "[!-~]++"
_NETWORK = Form(["tls", *[_ANY] * 17], *[[_ANY]] * 5, quotes=False)
_CLASSIC = Form([f"(?=[0-9]){BARE}", *[BARE] * 10, QUOTED], [QUOTED, BARE, BARE])
_HEAD = ("type", "timestamp", "elb")
_PLAIN_REQUEST = r"^(?P<method>[^ ]*) (?P<url>[^ ]+) (?P<version>[^ ]*)$"
_PLAIN_HOST = r"^[^:/]*://(?P<host>[^:/\[]*)(?:[:/]|$)"


def regular_lines(records: Sequence[bytes]) -> list[Part]:
    """The regular lines of each kind."""
    kinds = ((_APPLICATION, _application), (_NETWORK, _network), (_CLASSIC, _classic))
    found = [(*form.read(records), columns) for form, columns in kinds]
    return [Part(places, columns(tokens)) for places, tokens, columns in found if places]


def _application(tokens: Sequence[pa.StringArray]) -> _Columns:
    kind, time, elb, client, target, *result = tokens[:12]
    asked, agent, trace, domain, certificate, actions, redirect, error = (
        _unescaped(tokens[place]) for place in (12, 13, 17, 18, 19, 22, 23, 24)
    )
    return {
        **dict(zip(_HEAD, (kind, time, elb), strict=True)),
        **_ends(client, target),
        **dict(zip(RESULT, result, strict=True)),
        **_request(asked),
        "userAgent": agent,
        "sslCipher": tokens[14],
        "sslProtocol": tokens[15],
        **_parts(TARGET_GROUP, tokens[16], arn),
        "traceId": trace,
        "domainName": domain,
        **_parts(CERTIFICATE, certificate, arn),
        "matchedRulePriority": tokens[20],
        "requestCreationTime": tokens[21],
        "actionsExecuted": _each(actions, word_list, WORDS),
        "redirectUrl": redirect,
        "errorReason": error,
        **dict(zip(APPENDED, tokens[25:], strict=True)),
    }


def _network(tokens: Sequence[pa.StringArray]) -> _Columns:
    named = {
        **dict(zip(_HEAD, (tokens[0], _utc(tokens[2]), tokens[3]), strict=True)),
        "listener": tokens[4],
        **_peer("clientIp", "clientPort", tokens[5]),
        **_peer("destinationIp", "destinationPort", tokens[6]),
        **_parts(CERTIFICATE, tokens[12], arn),
        "alpnClientPreferenceList": _each(tokens[20], word_list, WORDS),
        "requestCreationTime": _utc(tokens[21]),
        "tail": tokens[22],
    }
    numbers = ("connectionTime", "tlsHandshakeTime", "receivedBytes", "sentBytes", "incomingTlsAlert")
    others = {"sslCipher": 14, "sslProtocol": 15, "domainName": 17, "alpnFeProtocol": 18, "alpnBeProtocol": 19}
    return named | dict(zip(numbers, tokens[7:12], strict=True)) | {name: tokens[it] for name, it in others.items()}


def _classic(tokens: Sequence[pa.StringArray]) -> _Columns:
    time, elb, client, target, *result = tokens[:11]
    return {
        **dict(zip(_HEAD, (pa.repeat("classic", len(time)), time, elb), strict=True)),
        **_ends(client, target),
        **dict(zip(RESULT, result, strict=True)),
        **_request(pc.ascii_rtrim(tokens[11], characters=" ")),
        **dict(zip(("userAgent", "sslCipher", "sslProtocol"), tokens[12:], strict=True)),
    }


def _each(texts: pa.StringArray, read: Callable[[str], object], kind: pa.DataType) -> pa.Array:
    """What `read` makes of each text, asked once per distinct text."""
    encoded = texts.dictionary_encode()
    return pa.array([read(text) for text in encoded.dictionary.to_pylist()], kind).take(encoded.indices)


def _parts(names: Sequence[str], texts: pa.StringArray, read: Callable[[str], Sequence[Any]]) -> _Columns:
    """The columns of these names, of which `read` gives the values in a text; null for `-`."""
    encoded = texts.dictionary_encode()
    found = [read(text) for text in encoded.dictionary.to_pylist()]
    columns = zip(*found, strict=True) if found else [()] * len(names)
    return {
        name: pa.array([None if value == "-" else value for value in values], TEXT).take(encoded.indices)
        for name, values in zip(names, columns, strict=True)
    }


def _ends(client: pa.StringArray, target: pa.StringArray) -> _Columns:
    return _peer("clientIp", "clientPort", client) | _peer("targetIp", "targetPort", target)


def _peer(address: str, port: str, texts: pa.StringArray) -> _Columns:
    halves = pc.split_pattern(texts, ":", max_splits=1, reverse=True)
    if pc.all(pc.equal(pc.list_value_length(halves), 2)).as_py() is not False:
        place, number = pc.list_element(halves, 0), pc.list_element(halves, 1)
        plain = pc.and_(pc.ascii_is_decimal(number), pc.greater(pc.binary_length(place), 0))
        if pc.all(plain).as_py() is not False:
            return {address: _or_null(pc.ascii_trim(place, characters="[]")), port: number}
    return _parts((address, port), texts, peer)


def _request(texts: pa.StringArray) -> _Columns:
    """Of each request what `REQUEST` names."""
    plain = pc.extract_regex(texts, _PLAIN_REQUEST)
    host = pc.extract_regex(plain.field("url"), _PLAIN_HOST).field("host")
    columns = dict(zip(REQUEST, (*plain.flatten(), host), strict=True))
    if not (odd := pc.and_(texts.is_valid(), plain.is_null())) and plain:
        pass
    return columns


def _unescaped(texts: pa.StringArray) -> pa.StringArray:
    if pc.any(pc.match_substring(texts, "\\x")).as_py():
        return _each(texts, lambda text: None if (plain := unescaped(text)) == "-" else plain, TEXT)
    return texts


def _utc(times: pa.StringArray) -> pa.StringArray:
    return _each(times, utc, TEXT)


def _or_null(texts: pa.StringArray) -> pa.StringArray:
    return pc.if_else(pc.equal(texts, "-"), None, texts)
