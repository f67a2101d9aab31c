"""Lookup tables: rows of files, found by value, by address, lazily, and bounded."""

from __future__ import annotations

import gzip
import ipaddress
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iota_dagster.core.detection.enrichment import Limits, Table, TableError, Tables
from iota_dagster.core.detection.enrichment import load_table as load_spec
from iota_dagster.core.detection.event import Event, EventContext, MappingView, plain
from iota_dagster.core.detection.match_expressions.paths import parse_path
from iota_dagster.core.detection.shared_files import TableFile

ASSETS = "ip,owner\n203.0.113.0/24,net\n203.0.113.128/25,half\n203.0.113.7,host\n2001:db8::/32,six\nec2,name\n"


def table(folder: Path, name: str, content: str | bytes, key: str = "ip", limits: Limits | None = None) -> Table:
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return load_table(spec(name, key), folder, limits)


def load_table(file: TableFile, folder: Path, limits: Limits | None = None) -> Table:
    return load_spec(file.spec(folder), limits)


def spec(filename: str | None, key: str = "ip", name: str = "assets") -> TableFile:
    log_types = [{"LogType": "Test.Log", "Selectors": ["src", "$.client.ips", "client.id"]}]
    return TableFile.model_validate(
        {
            "AnalysisType": "lookup_table",
            "LookupName": name,
            "Enabled": True,
            "Schema": "Custom.Assets",
            "Refresh": {"PeriodMinutes": 60},
            "Filename": filename,
            "LogTypeMap": {"PrimaryKey": key, "AssociatedLogTypes": log_types},
        }
    )


def event(context: EventContext, data: dict[str, Any]) -> Event:
    return Event({"p_log_type": "Test.Log", **data}, context)


@pytest.fixture
def context(tmp_path: Path) -> EventContext:
    return EventContext(tables=Tables([table(tmp_path, "assets.csv", ASSETS)]))


def test_the_rows_of_an_events_fields_are_its_enrichment(context: EventContext) -> None:
    record = {"src": "203.0.113.7", "client": {"ips": ["203.0.113.200", "192.0.2.1", "2001:db8::5"], "id": 5}}
    seen = event(context, record)
    assert seen["p_enrichment"] == {
        "assets": {
            "src": {"ip": "203.0.113.7", "owner": "host", "p_match": "203.0.113.7"},
            "client.ips": [
                {"ip": "203.0.113.128/25", "owner": "half", "p_match": "203.0.113.200"},
                {"ip": "2001:db8::/32", "owner": "six", "p_match": "2001:db8::5"},
            ],
        }
    }
    assert seen.deep_get("p_enrichment", "assets", "src", "owner") == "host"
    assert seen.deep_walk("p_enrichment", "assets", "client.ips", "owner") == ["half", "six"]
    assert seen.to_dict()["p_enrichment"]["assets"]["src"]["owner"] == "host"
    assert seen.get("P_Enrichment") == seen["p_enrichment"]


def test_an_event_that_no_table_knows_has_an_empty_enrichment(context: EventContext) -> None:
    assert event(context, {"src": "192.0.2.1"}).get("p_enrichment", {}) == {}
    assert "assets" not in event(context, {})["p_enrichment"]


def test_an_event_of_another_log_type_and_one_that_is_enriched_already_are_left_alone(context: EventContext) -> None:
    assert "p_enrichment" not in Event({"p_log_type": "Test.Other", "src": "203.0.113.7"}, context)
    assert "p_enrichment" not in Event({"p_log_type": ["Test.Log"]}, context)
    own = {"p_enrichment": {"assets": {"src": {"owner": "mine"}}}, "src": "203.0.113.7"}
    assert event(context, own).deep_get("p_enrichment", "assets", "src", "owner") == "mine"


def test_nothing_is_looked_up_before_a_rule_asks() -> None:
    asked: list[object] = []
    lazy = Table("t", asked.append, {"Test.Log": (parse_path("src"), parse_path("client.id"))})
    seen = event(EventContext(tables=Tables([lazy])), {"src": "a"})
    seen.get("src")
    assert "p_enrichment" in seen
    assert asked == []
    assert len(seen["p_enrichment"]) == 0
    assert asked == ["a", None]
    assert "assets" not in seen["p_enrichment"]
    assert len(asked) == 2


def test_a_rule_looks_a_key_up_itself(context: EventContext) -> None:
    seen = event(context, {})
    row = seen.lookup("assets", "ec2")
    assert isinstance(row, MappingView)
    assert row == {"ip": "ec2", "owner": "name"}
    assert seen.lookup("assets", "nothing") is None
    assert seen.lookup("assets", ["ec2"]) is None
    assert seen.lookup("no such table", "ec2") is None
    assert Event({}).lookup("assets", "ec2") is None


def test_a_row_cannot_be_changed_by_a_rule(context: EventContext) -> None:
    seen = event(context, {"src": "ec2"})
    plain(seen["p_enrichment"])["assets"]["src"]["owner"] = "changed"
    assert event(context, {"src": "ec2"}).deep_get("p_enrichment", "assets", "src", "owner") == "name"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "\ufeffip,n\n1,a\n2,b\n"),
        ("t.csv.gz", "ip,n\r\n1,a\r\n2,b\r\n"),
        ("t.json", '[{"ip": 1, "n": "a"}, {"ip": "2", "n": "b"}]'),
        ("t.jsonl", '{"ip": 1, "n": "a"}\n\n{"ip": "2", "n": "b"}\n'),
        ("t.ndjson.gz", '{"ip": 1, "n": "a"}\n{"ip": "2", "n": "b"}'),
    ],
)
def test_rows_come_from_csv_and_json_plain_and_gzipped(tmp_path: Path, name: str, content: str) -> None:
    find = table(tmp_path, name, content).find
    for key, expected in (("1", "a"), (1, "a"), ("2", "b"), (2, "b")):
        row = find(key)
        assert row is not None
        assert row["n"] == expected
    assert find("3") is None
    assert find(True) is None


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("t.txt", "", "is of no known kind: give one of .csv, .json, .jsonl, .ndjson or .mmdb"),
        ("t.csv", "IP,n\n1,a\n", "has no column ip (the PrimaryKey); there are IP, n"),
        ("t.csv", "ipp,n\n1,a\n", "did you mean ipp?"),
        ("t.csv", "", "has no column ip"),
        ("t.csv", "ip,n\n1,a\n2\n", "row 2: has not 2 fields"),
        ("t.csv", "ip,n\n1,a,b\n", "row 1: has not 2 fields"),
        ("t.csv", 'ip,n\n1,"a\n', "is no CSV after line 1"),
        ("t.csv", "ip,n\n1,a\n1,b\n", "row 2: the key '1' is there twice"),
        ("t.csv", "ip,n\n,a\n", "row 1: the key column ip holds ''"),
        ("t.csv", b"ip\n\xff\n", "is not UTF-8 (byte 3)"),
        ("t.json", "[{]", "is no JSON"),
        ("t.json", "[1]", "row 1: is no JSON object"),
        ("t.jsonl", '{"ip": 1}\n{', "row 2: is no JSON"),
        ("t.jsonl", '{"ip": 1}\n{"i": 1}', "row 2: has no column ip"),
        ("t.jsonl", '{"ip": [1]}', "row 1: the key column ip holds [1]"),
    ],
)
def test_a_wrong_file_is_named_with_its_row(tmp_path: Path, name: str, content: str | bytes, text: str) -> None:
    with pytest.raises(TableError, match=re.escape(text)) as caught:
        table(tmp_path, name, content)
    assert caught.value.file == tmp_path / name


def test_a_file_that_is_not_there_or_no_gzip_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"none\.csv: cannot be read: No such file"):
        load_table(spec("none.csv"), tmp_path)
    (tmp_path / "bad.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(TableError, match=r"bad\.csv\.gz: cannot be read: Not a gzipped file"):
        load_table(spec("bad.csv.gz"), tmp_path)
    with pytest.raises(ValueError, match="assets has no Filename"):
        load_table(spec(None), tmp_path)


def test_a_table_has_limits(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="row 2: has more than 1 rows"):
        table(tmp_path, "t.csv", "ip\na\nb\n", limits=Limits(rows=1))
    with pytest.raises(TableError, match="larger than 10 bytes"):
        table(tmp_path, "t.csv.gz", "ip\n" + "a" * 100, limits=Limits(bytes=10))


def test_two_tables_of_one_name_are_refused(tmp_path: Path) -> None:
    one = table(tmp_path, "t.csv", "ip\na\n")
    two = load_table(spec("t.csv"), tmp_path)
    with pytest.raises(TableError, match="assets: two lookup tables have this name"):
        Tables([one, two])


def test_a_selector_that_is_no_path_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("ip\na\n")
    broken = {"LogType": "Test.Log", "Selectors": ["a..b"]}
    file = spec("t.csv").model_dump(by_alias=True) | {
        "LogTypeMap": {"PrimaryKey": "ip", "AssociatedLogTypes": [broken]}
    }
    with pytest.raises(ValueError, match=r"'a\.\.b' is no path"):
        TableFile.model_validate(file)


def test_an_mmdb_table_needs_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "maxminddb", None)  # as if it were not installed
    with pytest.raises(TableError, match="install iota with its extra `mmdb`"):
        load_table(spec("asn.mmdb"), tmp_path)


def test_an_mmdb_table_is_asked_by_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def get(value: str) -> object:
        return {"asn": "AS64496"} if ipaddress.ip_address(value).version == 4 else None

    package = SimpleNamespace(open_database=lambda path: SimpleNamespace(get=get), InvalidDatabaseError=RuntimeError)
    monkeypatch.setitem(sys.modules, "maxminddb", package)
    find = load_table(spec("asn.mmdb"), tmp_path).find
    assert find("203.0.113.7") == {"asn": "AS64496"}
    assert find("2001:db8::1") is None
    assert find("no address") is None
    assert find(None) is None
    monkeypatch.setitem(
        sys.modules, "maxminddb", SimpleNamespace(open_database=open, InvalidDatabaseError=RuntimeError)
    )
    with pytest.raises(TableError, match=r"asn\.mmdb: cannot be read"):
        load_table(spec("asn.mmdb"), tmp_path)


ADDRESSES = st.ip_addresses(network="203.0.0.0/16") | st.ip_addresses(v=6, network="2001:db8::/112")


@given(st.lists(st.tuples(ADDRESSES, st.integers(0, 32)), max_size=6), ADDRESSES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_the_smallest_network_that_holds_an_address_wins(tmp_path: Path, blocks: list[Any], asked: Any) -> None:
    networks = {ipaddress.ip_network((item, item.max_prefixlen - bits), strict=False) for item, bits in blocks}
    lines = "\n".join(json.dumps({"ip": str(item)}) for item in networks)
    row = table(tmp_path, "t.jsonl", lines).find(str(asked))
    holding = [item for item in networks if asked.version == item.version and asked in item]
    best = max(holding, key=lambda item: item.prefixlen, default=None)
    assert row == (None if best is None else {"ip": str(best)})


@pytest.mark.parametrize("query", ["Query", "SnowflakeQuery", "DatabricksQuery"])
def test_a_table_that_panther_fills_by_a_query_is_read_and_has_no_rows_here(query: str) -> None:
    file = spec(None).model_dump(by_alias=True) | {query: "SELECT host FROM hosts"}
    assert TableFile.model_validate(file).filename is None
