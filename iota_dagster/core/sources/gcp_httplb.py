"""Requests to Application Load Balancers of Google Cloud, external and internal, with the verdicts of Cloud Armor."""

from __future__ import annotations

from iota_dagster.core.sources.fields import flag, integer, structure, text, words
from iota_dagster.core.sources.finders import IP, PLACE, URL
from iota_dagster.core.sources.gcp_log_entry import Entry, EntryMarks, LogEntrySource, entry_layout

_POLICY, _CLIENT = "jsonPayload.enforcedSecurityPolicy", "jsonPayload.securityPolicyRequestData"

_LAYOUT = entry_layout(
    text("httpRequest.remoteIp", "Address of the client, maybe with its port", IP),
    text("httpRequest.serverIp", "Address of the backend", IP),
    text("httpRequest.requestMethod", "The method of the request"),
    text("httpRequest.requestUrl", "The URL that was asked", URL),
    text("httpRequest.protocol", "The version of HTTP"),
    integer("httpRequest.status", "The status of the answer"),
    integer("httpRequest.requestSize", "Size of the request in bytes"),
    integer("httpRequest.responseSize", "Size of the answer in bytes"),
    text("httpRequest.userAgent", "The client's user agent"),
    text("httpRequest.referer", "The Referer header", URL),
    text("httpRequest.latency", "Time until the answer was sent, e.g. 0.173624s"),
    flag("httpRequest.cacheHit", "Whether the answer came from a cache"),
    text("jsonPayload.statusDetails", "Why the load balancer answered so, e.g. denied_by_security_policy"),
    text("jsonPayload.proxyStatus", "The same of regional and internal load balancers, as in the Proxy-Status header"),
    text("jsonPayload.remoteIp", "Address of the client, without its port", IP),
    text(f"{_POLICY}.name", "Security policy of Cloud Armor that was enforced"),
    text(f"{_POLICY}.outcome", "What it did: ACCEPT or DENY"),
    text(f"{_POLICY}.configuredAction", "What its rule says: ALLOW, DENY, THROTTLE, …"),
    integer(f"{_POLICY}.priority", "Priority of that rule"),
    words(f"{_POLICY}.preconfiguredExprIds", "Signatures that matched, e.g. of SQL injection"),
    structure("jsonPayload.previewSecurityPolicy", "The verdict of a policy that is only tried out (JSON)"),
    text(f"{_CLIENT}.remoteIpInfo.regionCode", "Country of the client"),
    integer(f"{_CLIENT}.remoteIpInfo.asn", "Number of the client's network (AS)"),
    text(f"{_CLIENT}.tlsJa3Fingerprint", "JA3 fingerprint of the client's TLS"),
    text(f"{_CLIENT}.tlsJa4Fingerprint", "JA4 fingerprint of the client's TLS"),
    text("resource.labels.url_map_name", "The URL map, which names the load balancer"),
    text("resource.labels.forwarding_rule_name", "The forwarding rule that took the request"),
    text("resource.labels.backend_service_name", "The backend service that it went to"),
    text("resource.labels.backend_target_name", "The same of regional and internal load balancers"),
    text("jsonPayload.tls.sni", "The host name that the client asked for in TLS", PLACE),
    structure("jsonPayload", "What the load balancer says of the request (JSON)"),
)


def _is_request(entry: Entry) -> bool:
    if entry.proto is not None or entry.of_kubernetes or (entry.http is None and entry.json is None):
        return False
    return entry.of_load_balancer or (entry.json is not None and entry.json.type_url.endswith(".LoadBalancerLogEntry"))


SOURCE = LogEntrySource(
    "GCP.HTTPLoadBalancer",
    "gcp_httplb_events",
    _LAYOUT,
    EntryMarks(
        "httpRequest or jsonPayload with the resource.type of an Application Load Balancer (http_load_balancer, "
        "http_external_regional_lb_rule, internal_http_lb_rule), or a jsonPayload of the type LoadBalancerLogEntry",
        _is_request,
        2,
    ),
    description="Requests to Application Load Balancers of Google Cloud",
)
