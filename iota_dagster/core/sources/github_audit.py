"""GitHub audit log events of organizations and enterprises, as streaming, exports and the REST API write them."""

from __future__ import annotations

from iota_dagster.core.sources.fields import Layout, flag, found_in, integer, moment, structure, text
from iota_dagster.core.sources.finders import IP, TRACE, USER
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.marks import TEXT_VALUE, AnyOf, Marks

_LAYOUT = Layout(
    (
        text("_document_id", "GitHub's id of the event", name="document_id"),
        moment("@timestamp", "When it happened (UTC)"),
        moment("created_at", "When it happened, too (UTC); events of Git lack it"),
        text("action", "What was done, e.g. git.clone, repo.access, org.add_member"),
        text("operation_type", "Kind of the action: create, modify, remove, access, authentication, …"),
        text("actor", "Login of who did it", USER),
        integer("actor_id", "Id of who did it"),
        flag("actor_is_bot", "Whether a bot did it"),
        text("actor_ip", "Address it came from", IP),
        text("actor_location.country_code", "Country of that address"),
        text("user", "Login of the user it was done to", USER),
        integer("user_id", "Id of the user it was done to"),
        text("external_identity_nameid", "Name of the actor at the identity provider", USER),
        text("business", "Enterprise"),
        text("org", "Organization; a JSON list where there are several"),
        integer("org_id", "Id of the organization"),
        text("repo", "Repository, as owner/name"),
        text("repository", "Repository, in events of Git"),
        flag("repository_public", "Whether that repository is public"),
        flag("public_repo", "Whether the repository is public, in other events"),
        text("visibility", "Visibility of the repository after the event"),
        text("previous_visibility", "Visibility of the repository before the event"),
        text("permission", "Permission after the event"),
        text("old_permission", "Permission before the event"),
        text("team", "Team"),
        text("name", "Name of what it was done to: branch, app, runner, …"),
        text("user_agent", "The client's user agent"),
        text("transport_protocol_name", "How Git was spoken: http or ssh"),
        text("programmatic_access_type", "Kind of token or key used"),
        text("hashed_token", "SHA-256 of the token used, in base64", TRACE),
        text("token_scopes", "Scopes of the token used"),
        text("request_id", "Id of the web request", TRACE),
        structure("actor_location", "Where that address is (JSON)"),
        found_in("external_identity_username", USER),
        found_in("blocked_user", USER),
    ),
    time=("@timestamp", "created_at"),
    # The id alone would do, had not exports that mask ids given several events the same.
    identity=("_document_id", "action"),
)
_DIGITS = tuple(b"%d" % digit for digit in range(10))
_WEBHOOK = ("sender",)

SOURCE = JsonSource(
    "GitHub.Audit",
    "github_audit_events",
    _LAYOUT,
    AnyOf(
        (
            Marks({"action": TEXT_VALUE, "@timestamp": _DIGITS}, _WEBHOOK),
            Marks({"action": TEXT_VALUE, "_document_id": TEXT_VALUE}, _WEBHOOK),
            Marks({"action": TEXT_VALUE, "actor": TEXT_VALUE, "created_at": _DIGITS}, _WEBHOOK),
        )
    ),
    description="What members and apps of a GitHub organization or enterprise did, Git reads and writes included",
)
