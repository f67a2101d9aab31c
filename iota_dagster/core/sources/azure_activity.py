"""Entries of Azure's activity log: what was done to subscriptions and resources.

They come as Azure exports them to storage and event hubs (`time`, names as texts), and as its REST API lists them
(`eventTimestamp`, names as objects of `value` and `localizedValue`). Only the latter have an id of their own. The
others share `correlationId` with all entries of their operation, so that what they say is part of their identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from iota_dagster.core.errors import RecordRejected
from iota_dagster.core.sources.base import Readings
from iota_dagster.core.sources.content_identity import ContentIdentified
from iota_dagster.core.sources.fields import Field, Layout, found_in, integer, moment, structure, text
from iota_dagster.core.sources.finders import IP, TRACE, USER
from iota_dagster.core.sources.kinds import Values
from iota_dagster.core.sources.marks import OBJECT_VALUE, TEXT_VALUE, AnyOf, Marks, keys
from iota_dagster.core.sources.record_tree import RecordTree

_NAMES = ("operationName", "category")
"""Names that are texts in one form and objects in the other."""
_SCHEMAS = r"http://schemas\.xmlsoap\.org/ws/2005/05/identity/claims"
_ACTING = "identity.authorization"


class _Name(msgspec.Struct, gc=False):
    value: str | None = None


_name = msgspec.json.Decoder(str | _Name | None).decode


class _Tree(RecordTree):
    """Reads names in both forms: a text as the field, the `value` of an object as the field below."""

    def __init__(self, fields: Sequence[Field]) -> None:
        """See `RecordTree`."""
        taken_here = {*_NAMES, *(f"{name}.value" for name in _NAMES)}
        super().__init__([*(it for it in fields if it.path not in taken_here), *(structure(it, "") for it in _NAMES)])

    def read(self, records: Sequence[bytes]) -> tuple[dict[str, Values], int, dict[int, RecordRejected]]:
        """See `RecordTree.read`."""
        taken, size, rejected = super().read(records)
        for path in _NAMES:
            names = [_read_name(raw) for raw in taken[path]]
            taken[path] = [name if isinstance(name, str) else None for name in names]
            taken[f"{path}.value"] = [name.value if isinstance(name, _Name) else None for name in names]
        return taken, size, rejected


def _read_name(raw: msgspec.Raw) -> str | _Name | None:
    try:
        return _name(raw) if len(raw) else None
    except (msgspec.MsgspecError, RecursionError):
        return None


class _Activity(ContentIdentified):
    """Entries with the id that they have, else with that of their operation and what they say."""

    def read_many(self, records: Sequence[bytes]) -> Readings:
        """See `Source.read_many`."""
        readings = super().read_many(records)
        own = readings.columns[self.columns.get_field_index("eventDataId")]
        if own.null_count == len(own):
            return readings
        found = zip(own.to_pylist(), readings.event_id, strict=True)
        return replace(readings, event_id=[name or shared for name, shared in found])


_LAYOUT = Layout(
    (
        moment("time", "When it happened, in exports (UTC)"),
        moment("eventTimestamp", "When it happened, from the REST API (UTC)"),
        text("eventDataId", "Azure's id of the entry, from the REST API"),
        text("resourceId", "Path of what it was done to"),
        text("operationName", "What was done, e.g. MICROSOFT.COMPUTE/DISKS/WRITE; its case differs"),
        text("operationName.value", "The same, from the REST API"),
        text(
            "category",
            "Administrative, Security, Policy, Alert, ServiceHealth, …; in old exports Write, Delete, Action",
        ),
        text("category.value", "The same, from the REST API"),
        text("resultType", "Start, Accept, Success, Failure, … in exports"),
        text("resultSignature", "The same in more detail, e.g. Succeeded.Created"),
        text("resultDescription", "The result in words"),
        text("status.value", "Started, Accepted, Succeeded, Failed, … from the REST API"),
        text("subStatus.value", "Mostly the HTTP status, from the REST API"),
        text("level", "Critical, Error, Warning or Information"),
        integer("durationMs", "How long it took in milliseconds"),
        text("callerIpAddress", "Where it came from", IP),
        text("caller", "Who did it: a user's name or an application's id", USER),
        text("correlationId", "Id of the operation, shared by its entries", TRACE),
        text("operationId", "Id of that part of the operation, shared by its entries"),
        text("tenantId", "Tenant of Entra ID"),
        text("subscriptionId", "The subscription, from the REST API"),
        text("resourceGroupName", "The resource group, from the REST API"),
        text("location", "Region of what it was done to"),
        text(f"identity.claims.{_SCHEMAS}/upn", "Login of who did it", USER, name="claims_upn"),
        text("identity.claims.appid", "Application by which, or which itself, did it", USER),
        text("identity.claims.ipaddr", "Where who did it had signed in from", IP),
        text(f"{_ACTING}.action", "Permission that it took"),
        text(f"{_ACTING}.scope", "On what that permission was asked for"),
        text(f"{_ACTING}.evidence.role", "Role that gave the permission"),
        text("httpRequest.clientIpAddress", "Where it came from, from the REST API", IP),
        structure("identity", "Who did it, with claims and role (JSON)"),
        structure("claims", "Claims of who did it, from the REST API (JSON)"),
        structure("authorization", "The permission that it took, from the REST API (JSON)"),
        structure("properties", "Request, answer and whatever else, by service (JSON)"),
        *(
            found_in(path, USER)
            for claims in ("identity.claims", "claims")
            for path in (f"{claims}.upn", f"{claims}.{_SCHEMAS}/name", f"{claims}.{_SCHEMAS}/emailaddress")
        ),
        found_in(f"claims.{_SCHEMAS}/upn", USER),
        found_in("claims.appid", USER),
        found_in("claims.ipaddr", IP),
    ),
    time=("time", "eventTimestamp"),
    identity=("correlationId",),
)
_CATEGORIES = tuple(
    f'"{name}"'.encode()
    for name in keys(
        "Administrative Security ServiceHealth Alert Recommendation Policy Autoscale ResourceHealth Write Delete Action"
    )
)
_EXPORTED = {"resourceId": TEXT_VALUE, "operationName": TEXT_VALUE}
_LISTED = {"operationName": (TEXT_VALUE, OBJECT_VALUE)}

SOURCE = _Activity(
    "Azure.MonitorActivity",
    "azure_activity_events",
    _LAYOUT,
    AnyOf(
        (
            Marks({**_EXPORTED, "category": _CATEGORIES}),
            Marks({**_LISTED, "eventTimestamp": TEXT_VALUE, "correlationId": TEXT_VALUE}),
            Marks({**_LISTED, "resourceId": TEXT_VALUE, "resultType": TEXT_VALUE}, ("category", "Category")),
        )
    ),
    description="What was done to subscriptions and resources of Azure, and the state of the platform",
    key=r"insights-(?:operational-|activity-)?logs|activity[_-]?log",
    tree=_Tree(_LAYOUT.fields),
)
