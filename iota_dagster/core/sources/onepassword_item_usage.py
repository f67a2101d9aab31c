"""Uses of items in shared 1Password vaults, as the Events API's `/itemusages` lists them."""

from __future__ import annotations

from iota_dagster.core.sources.fields import Layout, integer, moment, text
from iota_dagster.core.sources.finders import USER
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.marks import TEXT_VALUE, Marks
from iota_dagster.core.sources.onepassword_fields import CLIENT, LOCATION

_LAYOUT = Layout(
    (
        text("uuid", "1Password's id of the event"),
        moment("timestamp", "When the item was used (UTC)"),
        text("action", "What was done with it, e.g. fill, reveal, secure-copy, export, share; null in old events"),
        text("item_uuid", "Id of the item"),
        text("vault_uuid", "Id of the vault that the item is in"),
        integer("used_version", "Version of the item that was used"),
        text("account_uuid", "Id of the 1Password account"),
        text("user.uuid", "Id of the user"),
        text("user.name", "Name of the user", USER),
        text("user.email", "Address of the user", USER),
        *CLIENT,
        *LOCATION,
    ),
    time=("timestamp",),
    identity=("uuid",),
)

SOURCE = JsonSource(
    "OnePassword.ItemUsage",
    "onepassword_item_usage_events",
    _LAYOUT,
    Marks({"uuid": TEXT_VALUE, "item_uuid": TEXT_VALUE, "vault_uuid": TEXT_VALUE}),
    description="Who filled in, revealed, copied or exported which 1Password item",
)
