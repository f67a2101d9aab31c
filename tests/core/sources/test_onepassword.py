"""1Password's three kinds of event: they share ids and forms, and each is known by what only it has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from iota_dagster.core.sources import onepassword_audit, onepassword_item_usage, onepassword_signin
from iota_dagster.core.sources.base import Source
from tests.core.sources.cases import columns, indicators, row, rows, text_of, writings

SIGN_INS, USAGES, AUDIT = onepassword_signin.SOURCE, onepassword_item_usage.SOURCE, onepassword_audit.SOURCE
CLIENT = {
    "app_name": "1Password Browser",
    "app_version": "20240",
    "platform_name": "Chrome",
    "os_name": "MacOSX",
    "os_version": "13.2",
    "ip_address": "203.0.113.45",
}
LOCATION = {"country": "Canada", "region": "Ontario", "city": "Toronto", "latitude": 43.5991, "longitude": -79.4988}
ANN = {"uuid": "EXAMPLEANN", "name": "Ann", "email": "Ann@example.com"}
BOB = {"uuid": "EXAMPLEBOB", "name": "Bob", "email": "bob@example.com"}
COMMON: dict[str, Any] = {"uuid": "EXAMPLE56YE2TYN2VFYRLNSHK", "timestamp": "2023-03-15T16:32:50.123456-03:00"}
SIGN_IN = COMMON | {
    "session_uuid": "EXAMPLESESSION",
    "category": "firewall_failed",
    "type": "continent_blocked",
    "country": "FR",
    "details": {"value": "Europe"},
    "target_user": ANN,
    "client": CLIENT,
    "location": LOCATION,
}
USAGE = COMMON | {
    "used_version": 3,
    "vault_uuid": "EXAMPLEVAULT",
    "item_uuid": "EXAMPLEITEM",
    "user": ANN,
    "client": CLIENT,
    "location": LOCATION,
    "action": "secure-copy",
}
CHANGE = COMMON | {
    "actor_uuid": "EXAMPLEANN",
    "actor_details": ANN,
    "action": "join",
    "object_type": "gm",
    "object_uuid": "EXAMPLEGROUP",
    "aux_id": 9277034,
    "aux_uuid": "EXAMPLEBOB",
    "aux_details": BOB,
    "aux_info": "R",
    "session": {"uuid": "EXAMPLESESSION", "login_time": "2023-03-15T16:00:00-03:00", "ip": "2001:DB8::9"},
    "location": LOCATION,
}
KINDS = [(SIGN_INS, SIGN_IN), (USAGES, USAGE), (AUDIT, CHANGE)]
each_kind = pytest.mark.parametrize(("source", "record"), KINDS, ids=[source.log_type for source, _ in KINDS])


def test_a_sign_in_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SIGN_INS, SIGN_IN))
    plain = ("uuid", "session_uuid", "category", "type", "country")
    assert {name: found[name] for name in plain} == {name: SIGN_IN[name] for name in plain}
    assert found["target_user_email"] == "Ann@example.com"
    assert found["client_ip_address"] == "203.0.113.45"
    assert found["location_city"] == "Toronto"
    assert found["details"] == '{"value":"Europe"}'


def test_a_use_of_an_item_fills_the_columns_of_its_fields() -> None:
    found = columns(row(USAGES, USAGE))
    plain = ("uuid", "used_version", "vault_uuid", "item_uuid", "action")
    assert {name: found[name] for name in plain} == {name: USAGE[name] for name in plain}
    assert found["user_uuid"] == "EXAMPLEANN"
    assert found["client_app_name"] == "1Password Browser"


def test_a_change_of_the_account_fills_the_columns_of_its_fields() -> None:
    found = columns(row(AUDIT, CHANGE))
    plain = ("uuid", "actor_uuid", "action", "object_type", "object_uuid", "aux_id", "aux_uuid", "aux_info")
    assert {name: found[name] for name in plain} == {name: CHANGE[name] for name in plain}
    assert found["actor_details_email"] == "Ann@example.com"
    assert found["session_login_time"] == datetime(2023, 3, 15, 19, 0, tzinfo=UTC)
    assert "object_details_email" not in found


@each_kind
def test_the_time_is_in_utc_and_the_id_is_the_vendors(source: Source, record: dict[str, Any]) -> None:
    found = row(source, record)
    assert found["time"] == datetime(2023, 3, 15, 19, 32, 50, 123456, UTC)
    assert found["id"] == "EXAMPLE56YE2TYN2VFYRLNSHK"


def test_indicators_name_users_addresses_and_sessions() -> None:
    ann = {"emails": ["ann@example.com"], "usernames": ["Ann", "Ann@example.com"], "ip_addresses": ["203.0.113.45"]}
    assert indicators(row(SIGN_INS, SIGN_IN)) == ann | {"trace_ids": ["EXAMPLESESSION"]}
    assert indicators(row(USAGES, USAGE)) == ann
    assert indicators(row(AUDIT, CHANGE)) == {
        "emails": ["ann@example.com", "bob@example.com"],
        "usernames": ["Ann", "Ann@example.com", "Bob", "bob@example.com"],
        "ip_addresses": ["2001:db8::9"],
        "trace_ids": ["EXAMPLESESSION"],
    }


@each_kind
def test_each_kind_is_known_however_it_is_written_and_by_its_own_source_only(
    source: Source, record: dict[str, Any]
) -> None:
    assert all(source.accepts(text) for text in writings(record))
    assert len(rows(source, *writings(record))) == 4
    others = [other for _, other in KINDS if other is not record]
    assert not any(source.accepts(text_of(other)) for other in [*others, COMMON, {}])


def test_records_of_older_versions_lack_fields() -> None:
    old = {name: value for name, value in USAGE.items() if name not in ("action", "location")}
    assert USAGES.accepts(text_of(old))
    assert "action" not in columns(row(USAGES, old))
    assert AUDIT.accepts(text_of({name: CHANGE[name] for name in ("uuid", "timestamp", "actor_uuid", "action")}))


def test_a_field_of_another_type_costs_only_itself() -> None:
    assert columns(row(SIGN_INS, SIGN_IN, client=7, type=["x"])) == {
        **{name: value for name, value in columns(row(SIGN_INS, SIGN_IN)).items() if not name.startswith("client_")},
        "type": '["x"]',
    }
    assert "used_version" not in columns(row(USAGES, USAGE, used_version="latest"))
    found = columns(row(AUDIT, CHANGE, aux_details="Bob", aux_id={}))
    assert "aux_id" not in found
    assert found["action"] == "join"
