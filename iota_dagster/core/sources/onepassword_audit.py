"""1Password audit events, as the Events API's `/auditevents` lists them: what members did to the account."""

from __future__ import annotations

from iota_dagster.core.sources.fields import Layout, integer, moment, text
from iota_dagster.core.sources.finders import IP, TRACE, USER
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.marks import TEXT_VALUE, Marks
from iota_dagster.core.sources.onepassword_fields import LOCATION

_LAYOUT = Layout(
    (
        text("uuid", "1Password's id of the event"),
        moment("timestamp", "When it was done (UTC)"),
        text("action", "What was done, e.g. create, join, disblmfa, updatfw"),
        text("object_type", "Kind of what it was done to, e.g. user, gm (a group's member), account"),
        text("object_uuid", "Id of what it was done to"),
        text("object_details.name", "Name of the user that it was done to", USER),
        text("object_details.email", "Address of the user that it was done to", USER),
        text("actor_uuid", "Id of who did it"),
        text("actor_type", "Kind of who did it, e.g. user"),
        text("actor_details.name", "Name of who did it", USER),
        text("actor_details.email", "Address of who did it", USER),
        text("account_uuid", "Id of the 1Password account"),
        integer("aux_id", "Number of a further thing concerned"),
        text("aux_uuid", "Id of a further thing concerned, e.g. the user who joined a group"),
        text("aux_details.name", "Name of the further user concerned", USER),
        text("aux_details.email", "Address of the further user concerned", USER),
        text("aux_info", "More about it; what, depends on the action"),
        text("session.uuid", "Id of the session it was done in", TRACE),
        moment("session.login_time", "When that session was opened (UTC)"),
        text("session.device_uuid", "Id of the device of that session"),
        text("session.ip", "Address of that session", IP),
        *LOCATION,
    ),
    time=("timestamp",),
    identity=("uuid",),
)

SOURCE = JsonSource(
    "OnePassword.AuditEvent",
    "onepassword_audit_events",
    _LAYOUT,
    Marks({"uuid": TEXT_VALUE, "actor_uuid": TEXT_VALUE, "action": TEXT_VALUE}),
    description="What the members of a 1Password account did to its users, groups, vaults and settings",
)
