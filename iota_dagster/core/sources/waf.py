"""AWS WAF: what a web ACL did with each request, from S3, Firehose or CloudWatch Logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import msgspec

from iota_dagster.core.sources.base import Readings
from iota_dagster.core.sources.fields import Layout, Taken, integer, moment, structure, text, words
from iota_dagster.core.sources.finders import ARN, IP, PLACE, TRACE, URL, account_id
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.kinds import Values
from iota_dagster.core.sources.marks import ANYTHING, TEXT_VALUE, Marks
from iota_dagster.core.sources.record_tree import RecordTree

_HEADERS = "httpRequest.headers"
_HOST, _AGENT, _REFERER, _FORWARDED = (
    f"{_HEADERS}.{name}" for name in ("host", "user-agent", "referer", "x-forwarded-for")
)

_FROM_HEADERS = (
    text(_HOST, "The Host header: which site was asked", PLACE),
    text(_AGENT, "The User-Agent header"),
    text(_REFERER, "The Referer header", URL),
    words(_FORWARDED, "The addresses in X-Forwarded-For: the client's, as it or a proxy claims, and proxies'", IP),
)
"""Columns of single headers: the record has a list of names with values, which is no place that a path leads to."""

_LAYOUT = Layout(
    (
        moment("timestamp", "When WAF got the request (UTC)"),
        integer("formatVersion", "Version of the record's format"),
        text("webaclId", "ARN of the web ACL; of WAF Classic its id", ARN),
        text("terminatingRuleId", "The rule that decided; Default_Action where none did"),
        text("terminatingRuleType", "RATE_BASED, REGULAR, GROUP or MANAGED_RULE_GROUP"),
        text("action", "What was done: ALLOW, BLOCK, CAPTCHA or CHALLENGE"),
        text("httpSourceName", "The kind of resource behind the ACL: CF, ALB, APIGW, APPSYNC, …"),
        text("httpSourceId", "The resource behind the ACL"),
        text("httpRequest.clientIp", "Address of the client", IP),
        text("httpRequest.country", "Country of the client; - where unknown"),
        text("httpRequest.httpMethod", "The method of the request"),
        text("httpRequest.scheme", "http or https"),
        text("httpRequest.host", "The host that was asked", PLACE),
        text("httpRequest.uri", "The path that was asked"),
        text("httpRequest.args", "The query string"),
        text("httpRequest.fragment", "What followed # in the address"),
        text("httpRequest.httpVersion", "The version of HTTP"),
        text("httpRequest.requestId", "The request's id in the service behind the ACL; of an ALB the trace id", TRACE),
        text("labels[].name", "What rules labelled the request with", name="labels"),
        text("ja3Fingerprint", "JA3 fingerprint of the client's TLS"),
        text("ja4Fingerprint", "JA4 fingerprint of the client's TLS"),
        integer("clientAsn", "Number of the client's network (AS)"),
        integer("forwardedAsn", "Number of the network (AS) of the forwarded address"),
        integer("responseCodeSent", "The status of an answer that WAF gave in the resource's place"),
        integer("requestBodySize", "Size of the request's body in bytes"),
        integer("requestBodySizeInspectedByWAF", "How much of the body was looked at, in bytes"),
        words("oversizeFields", "The parts of the request that were too big to be looked at whole"),
        text("captchaResponse.failureReason", "Why a CAPTCHA was not passed"),
        text("challengeResponse.failureReason", "Why a challenge was not passed"),
        structure("terminatingRuleMatchDetails", "What an injection rule matched (JSON)"),
        structure("nonTerminatingMatchingRules", "Rules that matched and did not decide (JSON)"),
        structure("ruleGroupList", "Rule groups and which of their rules matched (JSON)"),
        structure("rateBasedRuleList", "Rate rules that acted, with their keys (JSON)"),
        structure(_HEADERS, "All headers of the request (JSON)"),
        *_FROM_HEADERS,
    ),
    time=("timestamp",),
    identity=("timestamp", "webaclId", "httpRequest.requestId"),
)


class _Header(msgspec.Struct, gc=False):
    name: str | None = None
    value: str | None = None


_list = msgspec.json.Decoder(list[_Header] | None).decode


class _WebAcl(JsonSource):
    """WAF's records, whose headers are found by name, and whose account and region stand in the ACL's ARN.

    Only CloudFront makes its request ids itself. A client can choose the trace id of a load balancer and the request
    id of an API: an id by which it could make its requests look like copies of one another. Records of these are known
    by their place.
    """

    def __init__(self) -> None:
        super().__init__(
            "AWS.WAFWebACL",
            "waf_events",
            _LAYOUT,
            Marks({"webaclId": TEXT_VALUE, "httpRequest": ANYTHING}),
            description="Web requests that a web ACL looked at, and what it did with them",
            key=r"/WAFLogs/|aws-waf-logs-",
            tree=RecordTree([field for field in _LAYOUT.fields if field not in _FROM_HEADERS]),
        )

    def read_many(self, records: Sequence[bytes]) -> Readings:
        """See `Source.read_many`."""
        taken, size, rejected = self._tree.read(records)
        readings = self.layout.readings({**taken, **_header_values(taken[_HEADERS])}, size, rejected)
        owners = [_owner(acl or "") for acl in taken["webaclId"]]
        named = zip(readings.event_id, taken["httpSourceName"], strict=True)
        return replace(
            readings,
            event_id=[event_id if service == "CF" else None for event_id, service in named],
            account=[account for account, _ in owners],
            region=[region for _, region in owners],
        )


def _header_values(texts: Values) -> Taken:
    found = [_by_name(text) for text in texts]
    forwarded = [headers.get("x-forwarded-for") for headers in found]
    return {
        _HOST: [headers.get("host") for headers in found],
        _AGENT: [headers.get("user-agent") for headers in found],
        _REFERER: [headers.get("referer") for headers in found],
        _FORWARDED: [[part.strip() for part in value.split(",")] if value else None for value in forwarded],
    }


def _by_name(text: msgspec.Raw) -> dict[str, str]:
    """Headers by their names in lower case; the values of one that was sent twice are joined, as HTTP has it."""
    found: dict[str, str] = {}
    try:
        headers = (_list(text) if len(text) else None) or ()
    except (msgspec.MsgspecError, RecursionError):
        return found
    for header in headers:
        if header.name and header.value is not None:
            name = header.name.lower()
            found[name] = f"{found[name]}, {header.value}" if name in found else header.value
    return found


@lru_cache(maxsize=1024)
def _owner(acl: str) -> tuple[str | None, str | None]:
    """Account and region in a web ACL's ARN; None where it does not name them, as the ids of WAF Classic do not."""
    parts = acl.split(":", 5)
    if parts[0] != "arn" or len(parts) < 5:
        return None, None
    return account_id(parts[4]), parts[3] or None


SOURCE = _WebAcl()
