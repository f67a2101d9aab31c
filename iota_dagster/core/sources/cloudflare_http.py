"""Requests to sites behind Cloudflare (Logpush dataset http_requests).

A request's ray is not unique for certain, so that a record's times and all that it says are part of its identity. The
fields are chosen by whoever makes the Logpush job, even the time may be missing.
"""

from __future__ import annotations

from iota_dagster.core.sources.columns import NO_WORDS, Words
from iota_dagster.core.sources.content_identity import ContentIdentified
from iota_dagster.core.sources.fields import Layout, flag, found_in, integer, moment, structure, text, words
from iota_dagster.core.sources.finders import DOMAIN, IP, PLACE, TRACE, URL, Finder
from iota_dagster.core.sources.marks import AnyOf, Marks, keys


def _forwarded(header: str) -> tuple[Words]:
    found = (word for part in header.split(",") for word in IP.find(part.strip())[0])
    return (tuple(dict.fromkeys(found)) or NO_WORDS,)


_FORWARDED = Finder(IP.gives, _forwarded)

_LAYOUT = Layout(
    (
        text("RayID", "Cloudflare's id of the request, shared with the firewall's events", TRACE),
        text("ParentRayID", "The request that a Worker was handling when it made this one; 00 for none"),
        moment("EdgeStartTimestamp", "When the edge got the request (UTC)"),
        moment("EdgeEndTimestamp", "When the edge had answered (UTC)"),
        text("ZoneName", "The zone, by its domain", DOMAIN),
        text("ClientIP", "Address of the client", IP),
        integer("ClientSrcPort", "Port of the client"),
        integer("ClientASN", "Number of the client's network (AS)"),
        text("ClientCountry", "Country of the client"),
        text("ClientIPClass", "What Cloudflare knows of the address: badHost, searchEngine, tor, …"),
        text("ClientDeviceType", "Kind of the client's device"),
        text("ClientRequestHost", "The host that was asked", PLACE),
        text("ClientRequestMethod", "The method of the request"),
        text("ClientRequestURI", "Path and query that were asked"),
        text("ClientRequestPath", "The path that was asked"),
        text("ClientRequestProtocol", "The version of HTTP"),
        text("ClientRequestReferer", "The Referer header", URL),
        text("ClientRequestUserAgent", "The User-Agent header"),
        text("ClientRequestSource", "Who made the request: eyeball for a client, or which part of Cloudflare"),
        text("ClientSSLProtocol", "The client's version of TLS"),
        text("JA3Hash", "JA3 fingerprint of the client's TLS"),
        text("JA4", "JA4 fingerprint of the client's TLS"),
        integer("EdgeResponseStatus", "The status of the answer to the client"),
        integer("EdgeResponseBytes", "Size of the answer in bytes"),
        text("EdgeResponseContentType", "The content type of the answer"),
        text("EdgeColoCode", "The data center, by the code of its airport"),
        text("EdgeServerIP", "Address from which the origin was asked", IP),
        text("CacheCacheStatus", "Whether the cache had the answer: hit, miss, dynamic, …"),
        text("OriginIP", "Address of the origin", IP),
        integer("OriginResponseStatus", "The status of the origin's answer"),
        integer("BotScore", "1 to 99: how likely a person asked"),
        integer("WAFAttackScore", "1 to 99: how likely the request is harmless"),
        text("SecurityAction", "What the deciding security rule did"),
        text("SecurityRuleID", "The deciding security rule"),
        words("SecurityRuleIDs", "All rules that matched"),
        text("WAFAction", "What the old firewall did"),
        text("WAFRuleID", "The rule of the old firewall that matched"),
        text("WAFRuleMessage", "What that rule is against"),
        integer("WAFSQLiAttackScore", "1 to 99: how likely the request is free of SQL injection"),
        text("WorkerStatus", "How the Worker ended"),
        flag("WorkerSubrequest", "Whether a Worker made the request"),
        structure("RequestHeaders", "Headers of the request that were asked to be logged (JSON)"),
        structure("ResponseHeaders", "Headers of the answer that were asked to be logged (JSON)"),
        structure("Cookies", "Cookies that were asked to be logged (JSON)"),
        found_in("RequestHeaders.x-forwarded-for", _FORWARDED),
    ),
    time=("EdgeStartTimestamp", "EdgeEndTimestamp"),
    identity=("RayID", "EdgeStartTimestamp"),
)
_ITS_OWN = keys(
    "BotScore BotScoreSrc CacheCacheStatus CacheResponseBytes CacheResponseStatus CacheTieredFill ClientDeviceType "
    "ClientRequestBytes ClientRequestReferer ClientRequestSource ClientRequestURI ClientSSLCipher ClientSSLProtocol "
    "ClientSrcPort ClientXRequestedWith EdgeColoID EdgePathingOp EdgePathingSrc EdgePathingStatus EdgeRateLimitAction "
    "EdgeRateLimitID EdgeRequestHost EdgeResponseBodyBytes EdgeResponseBytes EdgeResponseCompressionRatio "
    "EdgeResponseContentType EdgeServerIP EdgeTimeToFirstByteMs FirewallMatchesActions FirewallMatchesRuleIDs "
    "FirewallMatchesSources JA3Hash JA4 OriginResponseBytes OriginResponseDurationMs OriginResponseHTTPExpires "
    "OriginResponseHTTPLastModified OriginResponseTime OriginSSLProtocol ParentRayID RequestHeaders ResponseHeaders "
    "SecurityAction SecurityActions SecurityLevel SecurityRuleID SecurityRuleIDs SecuritySources SmartRouteColoID "
    "UpperTierColoID WAFAction WAFAttackScore WAFFlags WAFMatchedVar WAFProfile WAFRuleID WAFRuleMessage "
    "WAFSQLiAttackScore WAFXSSAttackScore WorkerCPUTime WorkerStatus WorkerSubrequest WorkerSubrequestCount "
    "WorkerWallTimeUs"
)
"""Fields that the other datasets have not."""
_OF_OTHERS = ("Action", "Datetime", "Timestamp")

SOURCE = ContentIdentified(
    "Cloudflare.HttpRequest",
    "cloudflare_http_events",
    _LAYOUT,
    AnyOf(
        (
            Marks({}, _OF_OTHERS, ("EdgeStartTimestamp", "EdgeEndTimestamp")),
            Marks({}, _OF_OTHERS, _ITS_OWN, 2),
        )
    ),
    description="Requests to sites behind Cloudflare, and how they were answered",
    key=r"http_requests",
)
