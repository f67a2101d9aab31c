"""Slack audit logs, as the Audit Logs API of an Enterprise organization lists them."""

from __future__ import annotations

from iota_dagster.core.sources.fields import Layout, found_in, integer, moment, structure, text
from iota_dagster.core.sources.finders import IP, USER
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.marks import ANYTHING, OBJECT_VALUE, TEXT_VALUE, Marks

_LAYOUT = Layout(
    (
        text("id", "Slack's id of the event"),
        moment("date_create", "When it happened (UTC), to the second"),
        text("action", "What was done, e.g. user_login, file_downloaded, anomaly"),
        text("actor.type", "Kind of who did it: user, or a workflow or app for it"),
        text("actor.user.id", "Id of who did it"),
        text("actor.user.name", "Name of who did it", USER),
        text("actor.user.email", "Address of who did it", USER),
        text("actor.user.team", "Workspace or organization of who did it"),
        text("entity.type", "Kind of what it was done to: user, workspace, enterprise, channel, file, app, …"),
        text("entity.user.id", "Id of the user it was done to"),
        text("entity.user.name", "Name of the user it was done to", USER),
        text("entity.user.email", "Address of the user it was done to", USER),
        text("entity.workspace.name", "Name of the workspace it was done to"),
        text("entity.channel.id", "Id of the channel it was done to"),
        text("entity.channel.name", "Name of the channel it was done to"),
        text("entity.file.id", "Id of the file it was done to"),
        text("entity.file.name", "Name of the file it was done to"),
        text("entity.app.id", "Id of the app it was done to"),
        text("entity.app.name", "Name of the app it was done to"),
        text("context.location.type", "Where it happened: workspace or enterprise"),
        text("context.location.id", "Id of that workspace or organization"),
        text("context.location.name", "Name of that workspace or organization"),
        text("context.location.domain", "Its subdomain of slack.com"),
        text("context.ip_address", "Address it came from", IP),
        text("context.ua", "The client's user agent"),
        integer("context.session_id", "Id of the session it happened in"),
        structure("entity", "What it was done to (JSON)"),
        structure("details", "More about it; what, depends on the action (JSON)"),
        found_in("details.previous_ip_address", IP),
        found_in("details.inviter.user.email", USER),
    ),
    time=("date_create",),
    identity=("id",),
)

SOURCE = JsonSource(
    "Slack.AuditLogs",
    "slack_audit_events",
    _LAYOUT,
    Marks({"date_create": ANYTHING, "action": TEXT_VALUE, "actor": OBJECT_VALUE}),
    description="Sign-ins, administration, files and anomalies in a Slack Enterprise organization",
)
