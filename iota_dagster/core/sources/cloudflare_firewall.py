"""What Cloudflare's firewall did with requests (Logpush dataset firewall_events).

There is a record for each rule that matched, and all of a request share its ray: so the time and all that a record
says are part of its identity.
"""

from __future__ import annotations

from iota_dagster.core.sources.content_identity import ContentIdentified
from iota_dagster.core.sources.fields import Layout, found_in, integer, moment, structure, text
from iota_dagster.core.sources.finders import DOMAIN, IP, PLACE, TRACE
from iota_dagster.core.sources.marks import TEXT_VALUE, Marks, keys

_LAYOUT = Layout(
    (
        text("RayID", "Cloudflare's id of the request, shared by all records of it", TRACE),
        text("OriginatorRayID", "The request that led to this one, e.g. by a challenge; 00 for none"),
        moment("Datetime", "When it happened (UTC)"),
        text("Action", "What was done: block, challenge, managed_challenge, log, skip, allow, …"),
        text("Source", "The part of the firewall: waf, firewallmanaged, firewallcustom, ratelimit, …"),
        text("Kind", "Kind of the event, mostly firewall"),
        text("RuleID", "The rule that matched"),
        text("Ref", "The user's name of that rule"),
        text("Description", "What that rule is for"),
        integer("MatchIndex", "Place among the rules that matched: 0 for the last, 1 for the one before, …"),
        text("ZoneName", "The zone, by its domain", DOMAIN),
        text("ClientIP", "Address of the client", IP),
        integer("ClientASN", "Number of the client's network (AS)"),
        text("ClientASNDescription", "Who runs that network"),
        text("ClientCountry", "Country of the client"),
        text("ClientIPClass", "What Cloudflare knows of the address: badHost, searchEngine, tor, …"),
        text("ClientRequestHost", "The host that was asked", PLACE),
        text("ClientRequestMethod", "The method of the request"),
        text("ClientRequestPath", "The path that was asked"),
        text("ClientRequestQuery", "The query string"),
        text("ClientRequestScheme", "http or https"),
        text("ClientRequestProtocol", "The version of HTTP"),
        text("ClientRequestUserAgent", "The User-Agent header"),
        text("ClientRefererHost", "The host in the Referer header", PLACE),
        text("ClientRefererPath", "The path in the Referer header"),
        integer("EdgeResponseStatus", "The status of the answer to the client"),
        integer("OriginResponseStatus", "The status of the origin's answer; 0 where it was not asked"),
        text("EdgeColoCode", "The data center, by the code of its airport"),
        text("LeakedCredentialCheckResult", "Whether the credentials in the request are known to have leaked"),
        structure("Metadata", "More of the rule, by source (JSON)"),
        found_in("OriginIP", IP),
    ),
    time=("Datetime",),
    identity=("RayID", "Datetime"),
)
_OF_REQUESTS = keys(
    "RayID RuleID ClientIP ClientRequestHost ClientRequestMethod ClientRequestPath ClientRequestQuery "
    "ClientRequestUserAgent ClientASN ClientCountry MatchIndex EdgeResponseStatus OriginatorRayID"
)

SOURCE = ContentIdentified(
    "Cloudflare.Firewall",
    "cloudflare_firewall_events",
    _LAYOUT,
    Marks({"Action": TEXT_VALUE}, ("EdgeStartTimestamp", "EdgeEndTimestamp", "Timestamp"), _OF_REQUESTS, 2),
    description="Rules of Cloudflare's firewall that matched requests, and what was done",
    key=r"firewall_events",
)
