"""The regular lines of load balancers, column by column: what `elb_lines` says of each, for many at once.

A text that is not plain goes through the very function of `elb_lines`, once however often it occurs.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from iota_dagster.core.sources import elb_lines
from iota_dagster.core.sources.columns import WORDS
from iota_dagster.core.sources.elb_lines import APPENDED, CERTIFICATE, REQUEST, RESULT, TARGET_GROUP
from iota_dagster.core.sources.text_columns import Columns, each, holds, known, matched, mended
from iota_dagster.core.sources.text_source import Part
from iota_dagster.core.sources.tokens import BARE, EITHER, QUOTED, Form

_Tokens = Sequence[pa.StringArray]

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
_CLIENT, _TARGET = ("clientIp", "clientPort"), ("targetIp", "targetPort")
_DESTINATION = ("destinationIp", "destinationPort")
_PLAIN_PEER = r"^\[?(?P<address>[0-9A-Za-z.:]+)\]?:(?P<port>[0-9]+)$"
_PLAIN_REQUEST = r"^(?P<method>[^ ]*) (?P<url>[^ ]+) (?P<version>[^ ]*)$"
_PLAIN_HOST = r"^[^:/]*://(?P<host>[^:/\[]*)(?:[:/]|$)"


def regular_lines(records: Sequence[bytes]) -> list[Part]:
    """The regular lines of each kind."""
    kinds = ((_APPLICATION, _application), (_NETWORK, _network), (_CLASSIC, _classic))
    found = [(*form.read(records), columns) for form, columns in kinds]
    return [Part(places, columns(tokens)) for places, tokens, columns in found if places]


def _application(tokens: _Tokens) -> Columns:
    request, agent, trace, domain, certificate, actions, redirect, error = (
        _unescaped(tokens[place]) for place in (12, 13, 17, 18, 19, 22, 23, 24)
    )
    return {
        **dict(zip(_HEAD, tokens[:3], strict=True)),
        **_peer(_CLIENT, tokens[3]),
        **_peer(_TARGET, tokens[4]),
        **dict(zip(RESULT, tokens[5:12], strict=True)),
        **_request(request),
        "userAgent": agent,
        "sslCipher": tokens[14],
        "sslProtocol": tokens[15],
        **_arn(TARGET_GROUP, tokens[16]),
        "traceId": trace,
        "domainName": domain,
        **_arn(CERTIFICATE, certificate),
        "matchedRulePriority": tokens[20],
        "requestCreationTime": tokens[21],
        "actionsExecuted": _words(actions),
        "redirectUrl": redirect,
        "errorReason": error,
        **dict(zip(APPENDED, tokens[25:], strict=True)),
    }


def _network(tokens: _Tokens) -> Columns:
    return {
        **dict(zip(_HEAD, (tokens[0], _utc(tokens[2]), tokens[3]), strict=True)),
        "listener": tokens[4],
        **_peer(_CLIENT, tokens[5]),
        **_peer(_DESTINATION, tokens[6]),
        "connectionTime": tokens[7],
        "tlsHandshakeTime": tokens[8],
        "receivedBytes": tokens[9],
        "sentBytes": tokens[10],
        "incomingTlsAlert": tokens[11],
        **_arn(CERTIFICATE, tokens[12]),
        "sslCipher": tokens[14],
        "sslProtocol": tokens[15],
        "domainName": tokens[17],
        "alpnFeProtocol": tokens[18],
        "alpnBeProtocol": tokens[19],
        "alpnClientPreferenceList": _words(tokens[20]),
        "requestCreationTime": _utc(tokens[21]),
        "tail": tokens[22],
    }


def _classic(tokens: _Tokens) -> Columns:
    return {
        **dict(zip(_HEAD, (pa.repeat("classic", len(tokens[0])), *tokens[:2]), strict=True)),
        **_peer(_CLIENT, tokens[2]),
        **_peer(_TARGET, tokens[3]),
        **dict(zip(RESULT, tokens[4:11], strict=True)),
        **_request(pc.ascii_rtrim(tokens[11], characters=" ")),
        "userAgent": tokens[12],
        "sslCipher": tokens[13],
        "sslProtocol": tokens[14],
    }


def _peer(names: Sequence[str], texts: pa.StringArray) -> Columns:
    return matched(names, texts, _PLAIN_PEER, elb_lines.peer)


def _request(texts: pa.StringArray) -> Columns:
    texts = texts.fill_null("-")
    method, url, version = pc.extract_regex(texts, _PLAIN_REQUEST).flatten()
    (host,) = pc.extract_regex(url, _PLAIN_HOST).flatten()
    columns = dict(zip(REQUEST, map(known, (method, url, version, host)), strict=True))
    return mended(columns, host.is_null(), texts, elb_lines.request_line)


def _arn(names: Sequence[str], texts: pa.StringArray) -> Columns:
    return each(names, texts, elb_lines.arn)


def _unescaped(texts: pa.StringArray) -> pa.StringArray:
    if not holds(texts, "\\x"):
        return texts
    escaped = pc.match_substring(texts, "\\x").fill_null(False)
    return mended({"": texts}, escaped, texts, lambda text: (elb_lines.unescaped(text),))[""]


def _words(texts: pa.StringArray) -> pa.ListArray:
    encoded = texts.dictionary_encode()
    return pa.array(map(elb_lines.word_list, encoded.dictionary.to_pylist()), WORDS).take(encoded.indices)


def _utc(times: pa.StringArray) -> pa.StringArray:
    return each(("",), times, lambda time: (elb_lines.utc(time),))[""]
