"""Okta System Log events, as the System Log API, log streaming and EventBridge deliver them."""

from __future__ import annotations

import msgspec

from iota_dagster.core.sources.columns import NO_WORDS, Words
from iota_dagster.core.sources.fields import (
    Field,
    Layout,
    flag,
    found_in,
    integer,
    moment,
    structure,
    text,
)
from iota_dagster.core.sources.finders import DOMAIN, IP, TRACE, URL, USER, Finder
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.kinds import Kind
from iota_dagster.core.sources.marks import OBJECT_VALUE, TEXT_VALUE, Marks

_NOBODY = ("", "unknown")
"""What Okta writes for a login or a session that there is none of."""


class _Target(msgspec.Struct, gc=False):
    type: str | None = None
    alternate_id: str | None = msgspec.field(default=None, name="alternateId")


_targets = msgspec.json.Decoder(list[_Target]).decode


def _login(login: str) -> tuple[Words, ...]:
    return USER.find(login) if login not in _NOBODY else (NO_WORDS, NO_WORDS)


def _session(session: str) -> tuple[Words, ...]:
    return TRACE.find(session) if session not in _NOBODY else (NO_WORDS,)


def _users(targets: str) -> tuple[Words, ...]:
    """The logins among an event's targets; of an app or a policy `alternateId` is no more than a name."""
    try:
        found = _targets(targets)
    except (msgspec.MsgspecError, RecursionError):
        return NO_WORDS, NO_WORDS
    logins = [_login(target.alternate_id or "") for target in found if (target.type or "").endswith("User")]
    names, emails = ([word for login in logins for word in login[part]] for part in (0, 1))
    return tuple(dict.fromkeys(names)), tuple(dict.fromkeys(emails))


_LOGIN = Finder(USER.gives, _login)
_SESSION = Finder(TRACE.gives, _session)
_USERS = Finder(USER.gives, _users)

_LAYOUT = Layout(
    (
        text("uuid", "Okta's id of the event"),
        moment("published", "When the event happened (UTC)"),
        text("eventType", "What happened, e.g. user.session.start"),
        text("severity", "DEBUG, INFO, WARN or ERROR"),
        text("displayMessage", "What happened, in words"),
        text("legacyEventType", "The type's name in the old events API"),
        text("version", "Version of the event's format"),
        text("actor.id", "Id of who did it"),
        text("actor.type", "User, SystemPrincipal, PublicClientApp, …"),
        text("actor.alternateId", "Login of who did it", _LOGIN),
        text("actor.displayName", "Name of who did it"),
        text("outcome.result", "SUCCESS, FAILURE, SKIPPED, ALLOW, DENY, CHALLENGE or UNKNOWN"),
        text("outcome.reason", "Why it ended so"),
        text("client.ipAddress", "Where it came from", IP),
        text("client.userAgent.rawUserAgent", "The client's user agent"),
        text("client.userAgent.os", "The client's operating system, by its user agent"),
        text("client.userAgent.browser", "The client's browser, by its user agent"),
        text("client.device", "Kind of the client's device, e.g. Computer"),
        text("client.geographicalContext.country", "Country of the client"),
        text("client.geographicalContext.city", "City of the client"),
        text("client.zone", "Okta network zone of the client"),
        integer("securityContext.asNumber", "Number of the client's autonomous system"),
        text("securityContext.asOrg", "Who runs that autonomous system"),
        text("securityContext.domain", "Domain of the client's network", DOMAIN),
        flag("securityContext.isProxy", "Whether the client's address is a known proxy"),
        text("authenticationContext.externalSessionId", "Id of the session in which it happened", _SESSION),
        text("authenticationContext.rootSessionId", "Id of the session which that one belongs to", _SESSION),
        text("debugContext.debugData.requestUri", "Path of the request"),
        text("debugContext.debugData.threatSuspected", "Whether Okta took the request for an attack, as text"),
        text("debugContext.debugData.dtHash", "Hash of the device's token, the same in all its events", TRACE),
        text("transaction.id", "Id of the request, shared by its events", TRACE),
        structure("actor", "Who did it (JSON)"),
        structure("client", "From which client (JSON)"),
        structure("device", "State of the registered device (JSON)"),
        Field("target", Kind.JSON, "What it was done to (JSON)", _USERS),
        structure("request", "The addresses on the way to Okta (JSON)"),
        structure("authenticationContext", "How the actor was authenticated (JSON)"),
        structure("securityContext", "The client's network (JSON)"),
        structure("debugContext", "Further data of the event (JSON)"),
        structure("transaction", "The request (JSON)"),
        found_in("request.ipChain[].ip", IP),
        found_in("debugContext.debugData.origin", URL),
    ),
    time=("published",),
    identity=("uuid",),
)

SOURCE = JsonSource(
    "Okta.SystemLog",
    "okta_systemlog_events",
    _LAYOUT,
    Marks({"uuid": TEXT_VALUE, "eventType": TEXT_VALUE, "actor": OBJECT_VALUE}),
    description="Sign-ins, administration and policy decisions in Okta",
)
