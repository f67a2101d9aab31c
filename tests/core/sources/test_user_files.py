"""Schema files: each mistake has its file, its line, its key and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.errors import SettingsError
from iota_dagster.core.sources.registry import SOURCES
from iota_dagster.core.sources.user_files import as_yaml, read_schema, read_schemas
from tests.core.sources.user_types import APP, DOORS, GATE, PLAIN, schema_of


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        schema_of(folder, text)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("text", "old", "new", "said"),
    [
        (APP, "format: json", "format: jsn", "type.yaml:2: format: expected one of json, csv, regex, got 'jsn'"),
        (
            APP,
            "description: What people",
            "descripton: What",
            "type.yaml:3: descripton: unknown key, did you mean desc",
        ),
        (APP, "type: flag", "type: bool", "type.yaml:17: fields[6].type: expected one of text, integer, number, flag"),
        (APP, "type: flag, ", "", "type.yaml:17: fields[6]: type is missing"),
        (APP, "name: took", "name: 5", "type.yaml:16: fields[5].name: expected a text, got a whole number"),
        (APP, "Custom.AppLog", "AppLog", "type.yaml:1: log_type: 'AppLog' is no name"),
        (APP, "Custom.AppLog", "aws.cloudtrail", "log_type: 'aws.cloudtrail' is no name"),
        (APP, "Custom.AppLog", "Aws.CloudTrail", "type.yaml:1: log_type: AWS.CloudTrail is known already"),
        (
            APP,
            "format: json",
            "format: json\ntable: cloudtrail_events",
            "type.yaml:3: table: the table cloudtrail_events",
        ),
        (APP, "format: json", "format: json\ntable: alerts", "the table alerts is taken"),
        (APP, "format: json", "format: json\ntable: A-B", "'A-B' is no table"),
        (APP, "What people do in our application", "''", "description: is empty"),
        (APP, "name: took", "name: p_raw", "fields[5].name: p_raw is a name of iota's own"),
        (APP, "name: took", "name: Hour", "Hour is a name of iota's own"),
        (APP, "name: took", "name: OK", "the column ok is there twice (case does not count)"),
        (APP, "name: took", "name: a-b", "'a-b' is no column"),
        (APP, "Seconds}", "Seconds, indicator: ip}", "took is number: indicators are found in text and words only"),
        (APP, "{field: at}", "{field: att}", "type.yaml:5: time.field: there is no field att; did you mean at?"),
        (APP, "{field: at}", "{field: took}", "took is number, but must be a single time"),
        (APP, "{field: at}", "{field: at, zone: Europe/Nowhere}", "time.zone: 'Europe/Nowhere' is no time zone"),
        (APP, "{field: at}", "{field: at, zone: ../etc}", "is no time zone"),
        (APP, "{field: at}", "{field: at, format: '%H:%M'}", "time.format: '%H:%M' has no year or no day"),
        (APP, "{field: at}", "{field: at, format: iso}", "time.format: 'iso' is no format"),
        (APP, "{field: at}", "{field: at, format: '%Y%m%d %Z'}", "%Z cannot be read: write the zone as `zone:`"),
        (APP, "{field: at}", "{field: at, format: '%Y%m%d %Y'}", "cannot be read"),
        (APP, "[request, part]", "[request, detail]", "type.yaml:6: identity[1]: detail is json"),
        (APP, "[request, part]", "[part, part]", "identity: names a field twice"),
        (APP, "account: account", "account: part", "account: part is integer, but must be a single text"),
        (APP, "^apps/", "'(a+)+'", "type.yaml:4: key: within a repetition"),
        (
            APP,
            "{values: {kind: [audit, access]}}",
            "{pattern: x}",
            "type.yaml:9: marks.pattern: pattern says nothing of",
        ),
        (APP, "[audit, access]", "[]", "marks.values.kind: is an empty list"),
        (APP, "kind: [audit", '"a[].b": [audit', "a fixed value is at one place"),
        (APP, "path: user.login", "path: user..login", "'user..login' has an empty key"),
        (
            APP,
            "type: words",
            "type: integer",
            "fields[4].path: hops[].address goes through a list: its type can only be words",
        ),
        (APP, "indicator: ip", "indicator: ip, required: true", "goes through a list, and cannot be required"),
        (APP, "path: user.login", "path: request.id", "two fields read request.id"),
        (
            APP,
            "path: user.login",
            "path: hops.login",
            "fields: hops[].address and another field disagree: hops is a list",
        ),
        (APP, "path: user.login", "path: detail.x.y, required: true", "marks"),
        (
            APP,
            "path: user.login",
            "path: 'a\\b'",
            "a key with a quote, a backslash or a control character cannot be read",
        ),
        (DOORS, "type: integer", "type: json", "door is json, but a part of a line is one of"),
        (DOORS, '";"', '";;"', "type.yaml:9: marks.delimiter: ';;' is not one character"),
        (DOORS, '";"', '";", quote: ";"', "marks.quote: ';' is not one character other than the delimiter"),
        (DOORS, "path: Zeit", "path: Name", "a column's heading is empty or there twice"),
        (PLAIN, "[at, ignored, note]", "[at, ignored]", "type.yaml:7: fields[1]: there is no column 'note'"),
        (GATE, "path: ip", "path: address", "type.yaml:8: fields[2]: there is no group (?P<address>…) in the pattern"),
        (GATE, "(?P<message>.*)", "(.*)=(.*)=(?P<message>.*)", "type.yaml:11: marks.pattern: more than one repetition"),
        (GATE, "  pattern:", "  delimiter:", "marks: pattern is missing"),
        (APP, APP, "fields: [", "type.yaml:2: this is not YAML"),
        (APP, APP, "- a", "type.yaml:1: expected a log type"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, old: str, new: str, said: str) -> None:
    assert old in text
    wrong = text.replace(old, new, 1)
    if said == "marks":  # below a structure is a place like any other
        assert schema_of(tmp_path, wrong)
        return
    assert said in complaint(tmp_path, wrong)


def test_a_json_type_needs_a_mark(tmp_path: Path) -> None:
    text = APP.replace(", required: true", "").replace("marks: {values: {kind: [audit, access]}}\n", "")
    assert "type.yaml:9: fields: nothing tells the type" in complaint(tmp_path, text)


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(APP.replace("{field: at}", "{field: x}").replace("[request, part]", "[y]"))
    (tmp_path / "b.yml").write_text(DOORS.replace("type: integer", "type: words"))
    (tmp_path / "readme.txt").write_text("no schema")
    with pytest.raises(SettingsError) as caught:
        read_schemas([tmp_path], SOURCES.built_in)
    assert [line.partition(": ")[0].rpartition("/")[2] for line in str(caught.value).splitlines()] == [
        "a.yaml:6",
        "a.yaml:5",
        "b.yml:8",
    ]


def test_two_files_cannot_define_one_type_or_one_table(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(APP)
    (tmp_path / "b.yaml").write_text(APP)
    (tmp_path / "c.yaml").write_text(DOORS + "table: custom_applog_events\n")
    with pytest.raises(SettingsError) as caught:
        read_schemas([tmp_path], SOURCES.built_in)
    first, second, third = str(caught.value).splitlines()
    assert "b.yaml:1: log_type: Custom.AppLog is known already" in first
    assert "b.yaml:1: table: " in second
    assert "c.yaml:10: table: the table custom_applog_events is taken" in third


def test_a_folder_that_cannot_be_read_is_named_beside_all_other_mistakes(tmp_path: Path) -> None:
    unreadable = tmp_path / ("x" * 300)
    (tmp_path / "a.yaml").write_text(APP.replace("{field: at}", "{field: x}"))
    with pytest.raises(SettingsError) as caught:
        read_schemas([unreadable, tmp_path / "a.yaml"], SOURCES.built_in)
    first, second = str(caught.value).splitlines()
    assert first == f"{unreadable}: cannot be read: File name too long"
    assert "a.yaml:5: time.field" in second


MARKS = "{values: {kind: [audit, access]}}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (MARKS, "{values: {5: x}}", "type.yaml:9: marks.values.5: a key is a text: put it in quotes"),
        (MARKS, "{true: x}", "type.yaml:9: marks.true: a key is a text"),
        ("region: region", "region: region\n7: x", "type.yaml:9: 7: a key is a text"),
        ("description: Seconds}", "description: Seconds, null: x}", "type.yaml:16: fields[5].None: a key is a text"),
        (MARKS, "{values: {a: .nan}}", "type.yaml:9: marks.values.a: JSON has no such number"),
        (MARKS, "{values: {b: x, a: [1, -.inf]}}", "type.yaml:9: marks.values.a: JSON has no such number"),
    ],
)
def test_what_only_yaml_knows_is_told_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert complaint(tmp_path, APP.replace(old, new)).startswith(said)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml: cannot be read: No such file"):
        read_schemas([tmp_path / "nowhere.yaml"], SOURCES.built_in)


@pytest.mark.parametrize("text", [APP, DOORS, PLAIN, GATE])
def test_a_schema_is_written_as_it_is_read(tmp_path: Path, text: str) -> None:
    schema = schema_of(tmp_path, text)
    assert schema_of(tmp_path, as_yaml(schema)) == schema


@given(
    st.text(max_size=30),
    st.sampled_from(["true", "1e5", "0o7", "no", "null", "~", "a: b", "'", "\u2028", "é\U0001f600"]),
)
def test_any_text_is_written_as_that_text(
    tmp_path_factory: pytest.TempPathFactory, description: str, value: str
) -> None:
    if not description.strip() or not description.isprintable():
        description = "x"
    folder = tmp_path_factory.getbasetemp()
    schema = schema_of(folder, APP)
    import msgspec

    changed = msgspec.structs.replace(
        schema,
        description=description,
        marks=msgspec.structs.replace(schema.marks, values={value: (value, description)}),
    )
    (folder / "written.yaml").write_text(as_yaml(changed), encoding="utf-8")
    assert read_schema(folder / "written.yaml", SOURCES.built_in) == changed


def test_the_example_of_the_documentation_is_right(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "own-log-types.md").read_text(encoding="utf-8")
    example = next(block.split("```")[0] for block in page.split("```yaml\n") if block.startswith("log_type:"))
    assert schema_of(tmp_path, example).log_type == "Custom.AppLog"
