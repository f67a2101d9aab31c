"""1Password sign-in attempts, as the Events API's `/signinattempts` lists them."""

from __future__ import annotations

from iota_dagster.core.sources.fields import Layout, moment, structure, text
from iota_dagster.core.sources.finders import TRACE, USER
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.marks import OBJECT_VALUE, TEXT_VALUE, Marks
from iota_dagster.core.sources.onepassword_fields import CLIENT, LOCATION

_LAYOUT = Layout(
    (
        text("uuid", "1Password's id of the event"),
        moment("timestamp", "When somebody tried to sign in (UTC)"),
        text("category", "How it ended, e.g. success, credentials_failed, mfa_failed, firewall_reported_success"),
        text("type", "Why it ended so, e.g. credentials_ok, mfa_missing, country_blocked, anonymous_reported"),
        text("session_uuid", "Id of the session that was opened", TRACE),
        text("country", "Country code of the address it came from"),
        text("account_uuid", "Id of the 1Password account"),
        text("target_user.uuid", "Id of the user who tried to sign in"),
        text("target_user.name", "Name of that user", USER),
        text("target_user.email", "Address of that user", USER),
        text("target_user.type", "Kind of that user"),
        *CLIENT,
        *LOCATION,
        structure("details", "What the firewall rule looked at (JSON)"),
    ),
    time=("timestamp",),
    identity=("uuid",),
)

SOURCE = JsonSource(
    "OnePassword.SignInAttempt",
    "onepassword_signin_events",
    _LAYOUT,
    Marks({"uuid": TEXT_VALUE, "category": TEXT_VALUE, "target_user": OBJECT_VALUE}),
    description="Who tried to sign in to 1Password, from where, and how it ended",
)
