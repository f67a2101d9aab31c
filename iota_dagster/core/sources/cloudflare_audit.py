"""What people and tokens changed in a Cloudflare account (Logpush dataset audit_logs, version 1)."""

from __future__ import annotations

from iota_dagster.core.sources.fields import Layout, flag, found_in, moment, structure, text
from iota_dagster.core.sources.finders import DOMAIN, IP, USER
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.marks import TEXT_VALUE, Marks, keys

_LAYOUT = Layout(
    (
        text("ID", "Cloudflare's id of the event"),
        moment("When", "When it happened (UTC)"),
        text("ActionType", "What was done, e.g. login, token_create, job_update"),
        flag("ActionResult", "Whether it went well"),
        text("ActorType", "Kind of who did it: user, account, cloudflare_admin, …"),
        text("ActorEmail", "Address of who did it", USER),
        text("ActorID", "Id of who did it"),
        text("ActorIP", "Where it came from", IP),
        text("Interface", "By which way: UI, API, …"),
        text("OwnerID", "The account, or the user, that it belongs to"),
        text("ResourceType", "Kind of what it was done to, e.g. logpush job"),
        text("ResourceID", "Id of what it was done to"),
        text("Metadata.zone_name", "The zone, by its domain", DOMAIN),
        structure("Metadata", "More about it (JSON)"),
        structure("OldValue", "The setting before (JSON)"),
        structure("NewValue", "The setting after (JSON)"),
        found_in("Metadata.actor_email", USER),
    ),
    time=("When",),
    identity=("ID",),
)
_OTHERS = keys("ActorType ActorEmail ActorID ActorIP OwnerID ResourceType ResourceID Interface When")

SOURCE = JsonSource(
    "Cloudflare.Audit",
    "cloudflare_audit_events",
    _LAYOUT,
    Marks({"ActionType": TEXT_VALUE}, ("ActionTimestamp", "AuditLogID"), _OTHERS, 2),
    description="Changes and sign-ins in a Cloudflare account",
    key=r"audit_logs",
)
