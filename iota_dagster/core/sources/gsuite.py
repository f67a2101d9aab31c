"""Google Workspace activities, as the Reports API lists them: one record, and maybe several events at once in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from iota_dagster.core.sources.columns import NO_WORDS, Words
from iota_dagster.core.sources.fields import Field, Layout, flag, moment, structure, text
from iota_dagster.core.sources.finders import DOMAIN, EMAIL, IP, SHA256, URL, USER, Finder
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.kinds import Kind
from iota_dagster.core.sources.marks import LIST_VALUE, OBJECT_VALUE, AnyOf, Marks

_LONGEST_ADDRESS = 45


class _Message(msgspec.Struct, gc=False):
    parameter: list[_Parameter] | None = None


class _Parameter(msgspec.Struct, rename="camel"):
    name: str = ""
    value: str | None = None
    multi_value: list[str] | None = None
    message_value: _Message | None = None
    multi_message_value: list[_Message] | None = None


class _Event(msgspec.Struct, gc=False):
    parameters: list[_Parameter] | None = None


_events = msgspec.json.Decoder(list[_Event]).decode
_GIVES = ("p_any_ip_addresses", "p_any_domain_names", "p_any_emails", "p_any_sha256_hashes")


def _named(events: str) -> tuple[Words, ...]:
    """What the parameters of an activity's events name, each told by its look: a parameter has no type."""
    try:
        found = _events(events)
    except (msgspec.MsgspecError, RecursionError):
        return tuple(NO_WORDS for _ in _GIVES)
    words: dict[str, dict[str, None]] = {indicator: {} for indicator in _GIVES}
    for name, value in _texts([parameter for event in found for parameter in event.parameters or ()]):
        for finder in _finders(name, value):
            for indicator, named in zip(finder.gives, finder.find(value), strict=True):
                words[indicator].update(dict.fromkeys(named))
    return tuple(map(tuple, words.values()))


def _texts(parameters: list[_Parameter]) -> Iterator[tuple[str, str]]:
    """Every parameter's name with each of its texts, the nested ones included."""
    waiting = parameters[::-1]
    while waiting:
        item = waiting.pop()
        for value in (item.value, *(item.multi_value or ())):
            if value:
                yield item.name, value
        for message in (item.message_value, *(item.multi_message_value or ())):
            if message and message.parameter:
                waiting.extend(message.parameter[::-1])


def _finders(name: str, value: str) -> Sequence[Finder]:
    """Which finders to ask; most values are none of what they find, and that is seen at a glance."""
    if "://" in value:
        return (URL,)
    if "@" in value:
        return (EMAIL,)
    if "domain" in name.lower():
        return (DOMAIN,)
    if len(value) > _LONGEST_ADDRESS:
        return (SHA256,)
    numbered = value.count(".") == 3 and "version" not in name.lower()
    return (IP,) if numbered or ":" in value else ()


_LAYOUT = Layout(
    (
        text("kind", "Kind of the record: admin#reports#activity"),
        moment("id.time", "When it happened (UTC)"),
        text("id.uniqueQualifier", "Tells activities of the same time and application apart"),
        text("id.applicationName", "Application that reports it: admin, login, drive, token, …"),
        text("id.customerId", "Id of the Google Workspace account"),
        text("etag", "Tag of the record's version"),
        text("actor.callerType", "Kind of who did it: USER, KEY, APPLICATION, …"),
        text("actor.email", "Address of who did it", USER),
        text("actor.profileId", "Google Workspace profile of who did it"),
        text("actor.key", "Who did it where it was no user, e.g. SYSTEM"),
        text("actor.applicationInfo.applicationName", "App that did it"),
        text("actor.applicationInfo.oauthClientId", "OAuth client of that app"),
        flag("actor.applicationInfo.impersonation", "Whether that app acted in the name of the user"),
        text("ownerDomain", "Domain that the changed document or setting belongs to", DOMAIN),
        text("ipAddress", "Address of who did it", IP),
        text("networkInfo.regionCode", "Region of that address, as ISO 3166 has it"),
        structure("networkInfo", "Network of that address (JSON)"),
        text("events[].type", "Types of the events, in order"),
        text("events[].name", "Names of the events, in order, e.g. login_success, ASSIGN_ROLE"),
        Field("events", Kind.JSON, "The events with their parameters (JSON)", Finder(_GIVES, _named)),
        structure("resourceDetails", "What it was done to, with its labels (JSON)"),
    ),
    time=("id.time",),
    # Old records spell it uniqQualifier: they have no id here, since no two facts may become one by a guess.
    identity=("id.time", "id.uniqueQualifier", "id.applicationName"),
)

SOURCE = JsonSource(
    "GSuite.Reports",
    "gsuite_reports_events",
    _LAYOUT,
    AnyOf(
        (
            Marks({"id": OBJECT_VALUE, "actor": OBJECT_VALUE, "events": LIST_VALUE}),
            Marks({"id": OBJECT_VALUE, "kind": (b'"admin#reports#activity"', b'"audit#activity"')}),
        )
    ),
    description="Sign-ins, administration, files and apps in Google Workspace",
)
