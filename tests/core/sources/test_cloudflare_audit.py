"""Changes in a Cloudflare account."""

from __future__ import annotations

from iota_dagster.core.sources.cloudflare_audit import SOURCE
from tests.core.sources.cases import Record, columns, indicators, row

RECORD: Record = {
    "ActionResult": True,
    "ActionType": "job_update",
    "ActorEmail": "Ann@example.com",
    "ActorID": "a1",
    "ActorIP": "::ffff:203.0.113.45",
    "ActorType": "user",
    "ID": "90c1f5cb-f7e0-48bf-9021-14cb2102a2e1",
    "Interface": "UI",
    "Metadata": {"actor_email": "Ann@example.com", "zone_name": "example.com"},
    "NewValue": {"enabled": False},
    "OldValue": {"enabled": True},
    "OwnerID": "1d1e",
    "ResourceID": "183719",
    "ResourceType": "logpush job",
    "When": "2024-03-14T09:26:53Z",
}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = row(SOURCE, RECORD)
    same = RECORD.keys() - {"When", "Metadata", "NewValue", "OldValue"}
    assert {name: columns(found)[name] for name in same} == {name: RECORD[name] for name in same}
    assert (columns(found)["OldValue"], columns(found)["NewValue"]) == ('{"enabled":true}', '{"enabled":false}')
    assert columns(found)["Metadata_zone_name"] == "example.com"
    assert (found["id"], found["time"].isoformat()) == (RECORD["ID"], "2024-03-14T09:26:53+00:00")


def test_indicators_name_who_did_it_from_where_and_to_which_zone() -> None:
    assert indicators(row(SOURCE, RECORD)) == {
        "ip_addresses": ["203.0.113.45"],
        "domain_names": ["example.com"],
        "emails": ["ann@example.com"],
        "usernames": ["Ann@example.com"],
    }


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, ActionResult={"status": "ok"}, Metadata="none", OldValue=None))
    assert not {"ActionResult", "Metadata_zone_name", "OldValue"} & found.keys()
    assert (found["Metadata"], found["ActionType"]) == ('"none"', "job_update")
    assert columns(row(SOURCE, RECORD, ActionResult="false"))["ActionResult"] is False
