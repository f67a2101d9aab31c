"""Access logs of Elastic Load Balancers: application, network (TLS) and classic ones, told apart by `type`.

Lines have no id of their own: a client may send any trace id, and a connection's is shared by its requests.
"""

from __future__ import annotations

import re

from iota_dagster.core.sources.columns import Words
from iota_dagster.core.sources.elb_columns import regular_lines
from iota_dagster.core.sources.elb_lines import STARTS, splitter
from iota_dagster.core.sources.fields import (
    Field,
    Layout,
    found_in,
    integer,
    moment,
    number,
    text,
    words,
)
from iota_dagster.core.sources.finders import ARN, DOMAIN, IP, PLACE, TRACE, URL, Finder
from iota_dagster.core.sources.kinds import Kind
from iota_dagster.core.sources.text_source import TextSource

_TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")


def _traces(header: str) -> tuple[Words, ...]:
    """The X-Ray ids in an X-Amzn-Trace-Id header, `Self=…;Root=…`: as AWS itself makes them."""
    return (tuple(dict.fromkeys(_TRACE_ID.findall(header))),)


def _hidden(path: str) -> Field:
    return Field(path, Kind.TEXT, "", column=False)


_LAYOUT = Layout(
    (
        text("type", "http, https, h2, grpcs, ws or wss; tls: a network load balancer's; classic: a classic one's"),
        moment("timestamp", "When the answer was sent or the connection ended; classic: when the request came (UTC)"),
        text("elb", "Name of the load balancer, e.g. app/web/50dc6c495c0c9188"),
        text("clientIp", "Address of the client, or of a proxy before the load balancer", IP),
        integer("clientPort", "Port of the client"),
        text("targetIp", "Address of the target; null for a Lambda function and where no target was asked", IP),
        integer("targetPort", "Port of the target"),
        number("requestProcessingTime", "Seconds until the target was asked; -1 if it was not"),
        number("targetProcessingTime", "Seconds until the target began to answer; -1 if it did not"),
        number("responseProcessingTime", "Seconds until the client was answered; -1 if it was not"),
        integer("elbStatusCode", "HTTP status of the load balancer's answer"),
        integer("targetStatusCode", "HTTP status of the target's answer"),
        integer("receivedBytes", "Bytes of the request, headers included"),
        integer("sentBytes", "Bytes of the answer, headers included"),
        text("requestHttpMethod", "HTTP method of the request"),
        text("requestUrl", "URL of the request, with the Host header as its host"),
        text("requestHttpVersion", "HTTP version of the request"),
        text("userAgent", "User-Agent header, as the client sent it"),
        text("sslCipher", "TLS cipher"),
        text("sslProtocol", "TLS version"),
        text("targetGroupArn", "Group of the target", ARN),
        text("traceId", "X-Amzn-Trace-Id header of the request", Finder(TRACE.gives, _traces)),
        text("domainName", "Server name that the client asked for in the TLS handshake (SNI)", DOMAIN),
        text("chosenCertArn", "Certificate that was shown to the client; session-reused without a new handshake", ARN),
        integer("matchedRulePriority", "Priority of the listener's rule that matched; 0 the default; -1 for an error"),
        moment("requestCreationTime", "When the request came, or the TLS connection began (UTC)"),
        words("actionsExecuted", "What was done: waf, authenticate, forward, redirect, fixed-response, waf-failed, …"),
        text("redirectUrl", "Where the client was redirected to", URL),
        text("errorReason", "Why authentication, a Lambda function or WAF failed, e.g. AuthInvalidCookie"),
        text("targetPortList", "Targets that were asked, each with its port"),
        text("targetStatusCodeList", "Their HTTP statuses"),
        text("classification", "Acceptable, Ambiguous or Severe: how far the request is from RFC 7230; null for none"),
        text("classificationReason", "Why it is classified so, e.g. SpaceInUri"),
        text("connTraceId", "Id of the connection, also in the load balancer's connection log", TRACE),
        text("transformedHost", "Host header after the listener's rule rewrote it"),
        text("transformedUri", "Path after the listener's rule rewrote it"),
        text("requestTransformStatus", "Whether the rewriting succeeded"),
        text("listener", "NLB: the TLS listener"),
        text("destinationIp", "NLB: address that the client connected to", IP),
        integer("destinationPort", "NLB: port that the client connected to"),
        integer("connectionTime", "NLB: milliseconds that the connection lasted"),
        integer("tlsHandshakeTime", "NLB: milliseconds of the TLS handshake"),
        integer("incomingTlsAlert", "NLB: TLS alert that the client sent"),
        text("alpnFeProtocol", "NLB: application protocol agreed on with the client"),
        text("alpnBeProtocol", "NLB: application protocol agreed on with the target"),
        words("alpnClientPreferenceList", "NLB: application protocols that the client offered"),
        text("tail", "What AWS has appended to the line since, as it is written"),
        found_in("requestHost", PLACE),
        *map(_hidden, ("targetGroupAccount", "targetGroupRegion", "certAccount", "certRegion")),
    ),
    time=("timestamp",),
    account=("targetGroupAccount", "certAccount"),
    region=("targetGroupRegion", "certRegion"),
)

SOURCE = TextSource(
    "AWS.ALB",
    "alb_events",
    _LAYOUT,
    splitter([field.path for field in _LAYOUT.fields]),
    description="Requests to load balancers (ALB), TLS connections (NLB), and both of classic ones (ELB)",
    marks="type (not for classic ones), time, the load balancer's name, client:port, target and three durations",
    accepts=re.compile(STARTS.encode()),
    specificity=6,
    key=r"/elasticloadbalancing/",
    quick=regular_lines,
)
