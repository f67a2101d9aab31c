"""Settings: defaults, the file, the environment, and what a wrong one says."""

from __future__ import annotations

import pickle
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from iota_dagster.core.batch.owner import PATIENCE
from iota_dagster.core.dedup.seen import BloomOptions
from iota_dagster.core.errors import SettingsError
from iota_dagster.core.reading.content import DecodeLimits
from iota_dagster.destinations.json_lines import JsonLines
from iota_dagster.settings import Bloom, Limits, Settings, load_settings, project_file, use_config
from iota_dagster.settings_file import models_in
from iota_dagster.settings_page import settings_page

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "working"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, text: str) -> Path:
    path = folder / "iota.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(text: str, environ: dict[str, str] | None = None) -> str:
    write(Path.cwd(), text)
    with pytest.raises(SettingsError) as caught:
        load_settings(environ=environ or {})
    return str(caught.value)


# Defaults and the file


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs.eu-central-1.amazonaws.com", "eu-central-1"),
        ("sqs-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("eu-west-1.queue.amazonaws.com", "eu-west-1"),
        ("vpce-abc-1.sqs.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("sqs.eu-central-1.example.com", None),
        ("127.0.0.1:5000", None),
    ],
)
def test_without_a_region_it_is_that_of_the_queue(host: str, region: str | None) -> None:
    queue = f"https://{host}/111122223333/iota"
    assert Settings(queue_url=queue).region == region
    assert Settings(queue_url=queue, region="us-west-2").region == "us-west-2"


def test_a_wrong_queue_is_the_only_complaint() -> None:
    assert complaint("queue_url: iota\n").count("\n") == 0


def test_a_heartbeat_comes_well_before_others_lose_patience() -> None:
    assert Settings(heartbeat_seconds=30).heartbeat_seconds * 2 < PATIENCE.total_seconds()
    assert "iota.yaml:1:20: heartbeat_seconds: expected less than or equal to 30" in complaint("heartbeat_seconds: 31")


def test_without_a_file_everything_lies_in_the_home_folder(working_folder: Path) -> None:
    settings = load_settings(environ={})
    home = working_folder / ".iota"
    assert settings.home == home
    assert settings.store_url == f"sqlite:///{home}/iota.db"
    assert (settings.lake_url, settings.work_url, settings.state_url) == (
        f"{home}/lake",
        f"{home}/work",
        f"{home}/state",
    )
    assert settings.scratch == home / "scratch"
    assert settings.rules == (project_file("rules"),)
    (destination,) = settings.destinations
    assert isinstance(destination, JsonLines)
    assert (destination.name, destination.path) == ("alerts_file", home / "alerts.jsonl")


def test_by_default_everything_but_info_goes_to_every_destination() -> None:
    routing = load_settings(environ={}).routing
    assert routing["INFO"] == ()
    assert {routing[severity] for severity in ("LOW", "MEDIUM", "HIGH", "CRITICAL")} == {("alerts_file",)}


def test_a_severity_left_out_of_the_routing_keeps_its_default(working_folder: Path) -> None:
    write(working_folder, "routing: {low: [], info: [alerts_file]}")
    routing = load_settings(environ={}).routing
    assert (routing["LOW"], routing["INFO"], routing["HIGH"]) == ((), ("alerts_file",), ("alerts_file",))


def test_a_file_is_found_by_argument_before_variable_before_working_folder(tmp_path: Path) -> None:
    write(Path.cwd(), "batch_objects: 1")
    by_variable = tmp_path / "variable.yaml"
    by_variable.write_text("batch_objects: 2")
    by_argument = tmp_path / "argument.yaml"
    by_argument.write_text("batch_objects: 3")
    environ = {"IOTA_CONFIG": str(by_variable)}
    assert load_settings(environ={}).batch_objects == 1
    assert load_settings(environ=environ).batch_objects == 2
    assert load_settings(by_argument, environ).batch_objects == 3


def test_use_config_is_seen_by_every_later_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOTA_CONFIG", "")  # so that it is taken back after the test
    use_config(write(tmp_path, "batch_objects: 7"))
    assert load_settings().batch_objects == 7


def test_an_account_id_keeps_its_leading_zeros(working_folder: Path) -> None:
    write(working_folder, "integrations: [{name: a, bucket: logs, account: 000011112222}]")
    assert load_settings(environ={}).integrations[0].account == "000011112222"


def test_a_setting_without_a_value_keeps_its_default(working_folder: Path) -> None:
    write(working_folder, "batch_objects:\nintegrations:\n  # - name: later\nprocess_workers: null\n")
    assert load_settings(environ={}) == Settings(home=working_folder / ".iota")


def test_sizes_dates_and_numbers_are_read_by_their_type(working_folder: Path) -> None:
    write(working_folder, "batch_bytes: 1 MiB\npartitions_start: 2024-05-01\nbloom: {error_rate: 0.01}\n")
    settings = load_settings(environ={})
    assert settings.batch_bytes == 2**20
    assert settings.partitions_start == date(2024, 5, 1)
    assert settings.bloom.error_rate == 0.01


def test_an_empty_file_is_a_file_without_settings(working_folder: Path) -> None:
    write(working_folder, "# nothing yet\n")
    assert load_settings(environ={}).batch_objects == 2000


# Places


def test_relative_paths_start_at_the_file_but_at_the_working_folder_in_a_variable(tmp_path: Path) -> None:
    file = write(tmp_path, "home: kept\nrules: [mine, ../theirs]\nlake_url: s3://bucket/lake\n")
    settings = load_settings(file, {"IOTA_WORK_URL": "here", "IOTA_SCRATCH": "~/scratch"})
    assert settings.home == tmp_path / "kept"
    assert settings.rules == (tmp_path / "mine", tmp_path.parent / "theirs")
    assert settings.lake_url == "s3://bucket/lake"
    assert settings.work_url == str(tmp_path / "working" / "here")
    assert settings.scratch == Path.home() / "scratch"


def test_a_relative_sqlite_file_does_not_move_with_the_working_folder(tmp_path: Path) -> None:
    file = write(tmp_path, "store_url: sqlite:///state/iota.db")
    assert load_settings(file, {}).store_url == f"sqlite:///{tmp_path}/state/iota.db"


def test_a_file_url_is_the_folder(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, "lake_url: file:///srv/lake"), {}).lake_url == "/srv/lake"


def test_an_integration_is_located_by_bucket_or_folder(working_folder: Path) -> None:
    write(working_folder, "integrations: [{name: a, bucket: logs}, {name: b, path: logs}]")
    places = [item.location for item in load_settings(environ={}).integrations]
    assert places == ["logs", f"file://{working_folder}/logs"]


# The environment


def test_a_variable_goes_before_the_file_at_every_depth(working_folder: Path) -> None:
    write(working_folder, "batch_objects: 5\nintegrations: [{name: a, bucket: logs, role_arn: none}]\n")
    settings = load_settings(
        environ={
            "IOTA_BATCH_OBJECTS": "6",
            "IOTA_BLOOM__ERROR_RATE": "0.02",
            "IOTA_INTEGRATIONS__0__ROLE_ARN": "arn:aws:iam::111122223333:role/reader",
            "IOTA_INTEGRATIONS__0__EXTERNAL_ID": "hush",
            "IOTA_RULES": "[one, two]",
            "IOTA_LOG_LEVEL": "debug",
        }
    )
    assert (settings.batch_objects, settings.bloom.error_rate, settings.log_level) == (6, 0.02, "DEBUG")
    assert settings.integrations[0].role_arn == "arn:aws:iam::111122223333:role/reader"
    external_id = settings.integrations[0].external_id
    assert external_id is not None
    assert external_id.get_secret_value() == "hush"
    assert settings.rules == (working_folder / "one", working_folder / "two")


def test_variables_of_others_and_empty_ones_are_left_alone() -> None:
    kubernetes = {"IOTA_PORT": "tcp://10.0.0.1:80", "IOTA_SERVICE_HOST": "10.0.0.1", "IOTA_STORE_URL": ""}
    assert load_settings(environ=kubernetes) == load_settings(environ={})


def test_a_mistyped_variable_is_an_error() -> None:
    assert (
        complaint("", {"IOTA_BATCH_OBJECT": "1"})
        == "IOTA_BATCH_OBJECT: unknown setting, did you mean IOTA_BATCH_OBJECTS?"
    )


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("IOTA_BATCH_OBJECTS", "many", "batch_objects: expected a whole number, got 'many'"),
        ("IOTA_RULES", "[a", "expected a list or mapping in YAML, such as [a, b]"),
        ("IOTA_INTEGRATIONS__3__BUCKET", "logs", "there is no integrations[3] to change"),
        ("IOTA_HOME__X", "1", "home has no settings of its own"),
        ("IOTA_LIMITS__RATIOS", "1", "limits.ratios: unknown setting, did you mean ratio?"),
        ("IOTA_LIMITS__NESTING", "501", "limits.nesting: expected less than or equal to 500, got '501'"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, value: str, expected: str) -> None:
    assert complaint("home: here\nintegrations: []\n", {variable: value}) == f"{variable}: {expected}"


# Wrong files

WRONG = """\
home: here
batch_objects: many
batch_byte: 3
batch_bytes: 1 MiBB
limits: {ratio: -1}
bloom: 7
integrations:
  - name: production
    bucket: [logs]
    account: 0123
    external_id: [s3cr3t]
destinations:
  - type: slak
    name: chat
  - name: nowhere
  - {type: webhook, name: hook, urls: "https://example.com"}
  - {type: json_lines, name: file}
log_level: loud
partitions_start: yesterday
rules: mine
store_url: mysql://user:s3cr3t@host
"""
SAID = """\
iota.yaml:2:16: batch_objects: expected a whole number, got 'many'
iota.yaml:3:1: batch_byte: unknown setting, did you mean batch_bytes?
iota.yaml:4:14: batch_bytes: expected a size such as 256 MiB, got '1 MiBB'
iota.yaml:5:17: limits.ratio: expected greater than 0, got '-1'
iota.yaml:6:8: bloom: expected settings of its own (key: value), got '7'
iota.yaml:9:13: integrations[0].bucket: expected a text
iota.yaml:10:14: integrations[0].account: expected a text such as 111122223333, got '0123'
iota.yaml:11:18: integrations[0].external_id: expected a text
iota.yaml:13:11: destinations[0].type: expected 'json_lines', 'slack', 'pagerduty', 'sns', 'webhook', got 'slak'
iota.yaml:15:5: destinations[1].type: is missing
iota.yaml:16:33: destinations[2].urls: unknown setting, did you mean url?
iota.yaml:17:5: destinations[3].path: is missing
iota.yaml:18:12: log_level: expected 'DEBUG', 'INFO', 'WARNING' or 'ERROR', got 'LOUD'
iota.yaml:19:19: partitions_start: expected a date such as 2020-01-01, got 'yesterday'
iota.yaml:20:8: rules: expected a list such as [a, b], got 'mine'
iota.yaml:21:12: store_url: expected sqlite:///path/to/file or postgresql://user:password@host/database"""


def test_a_wrong_file_gets_a_line_for_each_wrong_setting() -> None:
    assert complaint(WRONG) == SAID


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("integrations: [{name: My logs, path: x}]", "[0].name: expected a text such as security-team, got 'My logs'"),
        (
            "queue_url: arn:aws:sqs:x",
            "expected a text such as https://sqs.eu-central-1.amazonaws.com/111122223333/iota",
        ),
        ("home: [", "iota.yaml:1:8: this is not YAML: "),
        ("- home", "iota.yaml:1:1: expected settings (key: value)"),
        ("home: a\nhome: b", "iota.yaml:2:1: home: is set twice"),
        ("limits: &a {ratio: *a}", "nested deeper than 20 levels"),
        ("rules: &a [*a]", "nested deeper than 20 levels"),
        ("home: \x07", "iota.yaml: this is not YAML: "),
        ("integrations: [{name: a}]", "iota.yaml:1:16: integrations[0]: a: expected either bucket or path"),
        ("integrations: [{name: a, path: x, role_arn: 'arn:aws:iam::111122223333:role/r'}]", "go with a bucket"),
        ("integrations: [{name: a, bucket: logs, external_id: x}]", "a: external_id needs role_arn"),
        ("integrations: [{name: a, bucket: one}, {name: a, bucket: two}]", "the name a is taken twice"),
        ("integrations: [{name: a, bucket: one}, {name: b, bucket: one}]", "one/ is read by two integrations"),
        ("routing: {HIGH: [alert_file]}", "HIGH: alert_file is not a destination, did you mean alerts_file?"),
        ("destinations: []\nrouting: {HIGH: [chat]}", "HIGH: chat is not a destination, there are: none"),
        ("routing: {SEVERE: []}", "iota.yaml:1:10: routing: SEVERE is not a severity, there are: INFO, LOW"),
        ("lake_url: gs://bucket", "lake_url: expected a folder or s3://bucket/prefix"),
        ("store_url: sqlite://", "store_url: expected sqlite:///path"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, expected: str) -> None:
    assert expected in complaint(text)


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone.yaml: there is no such settings file \(IOTA_CONFIG names it\)"):
        load_settings(environ={"IOTA_CONFIG": str(tmp_path / "gone.yaml")})
    with pytest.raises(SettingsError, match=r"gone.yaml: there is no such settings file$"):
        load_settings(tmp_path / "gone.yaml", {})


def test_a_file_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "iota.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(path, {})


@given(st.text(max_size=60))
def test_any_text_is_settings_or_a_settings_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        said = ""
        load_settings(path, {})
    except SettingsError as error:
        said = str(error)
    assert not said or said.startswith(str(path))


# Secrets and copies


def test_secrets_are_never_printed(working_folder: Path) -> None:
    write(
        working_folder,
        "store_url: postgresql://iota:s3cr3t@host/iota\n"
        "integrations: [{name: a, bucket: logs, role_arn: 'arn:aws:iam::111122223333:role/r', external_id: s3cr3t}]",
    )
    settings = load_settings(environ={})
    assert "s3cr3t" in settings.store_url
    assert "s3cr3t" not in f"{settings} {settings!r} {settings.integrations}"


@pytest.mark.parametrize("text", ["external_id: {s3cr3t: 1}", "external_idd: s3cr3t", "s3cr3t", "external_id: [s3cr3t"])
def test_a_secret_in_the_wrong_place_is_not_shown(text: str) -> None:
    assert "s3cr3t" not in complaint(f"integrations:\n  - name: a\n    bucket: logs\n    {text}\n").replace(
        "{s3cr3t", ""
    )


def test_settings_reach_other_processes_unchanged() -> None:
    settings = load_settings(environ={"IOTA_STORE_URL": "postgresql://host/iota"})
    assert pickle.loads(pickle.dumps(settings)) == settings


# Agreement with the domain


def test_limits_and_filters_have_the_domains_fields_and_defaults() -> None:
    assert DecodeLimits(**Limits().model_dump()) == DecodeLimits()
    assert BloomOptions(**Bloom().model_dump()) == BloomOptions()


# Documentation


def test_the_settings_page_is_current() -> None:
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == settings_page(), "run `make docs`"


def test_the_example_on_the_settings_page_is_valid(tmp_path: Path) -> None:
    example = settings_page().split("```yaml\n")[1].split("```")[0]
    assert load_settings(write(tmp_path, example), {}).integrations[0].account == "111122223333"


def test_the_rules_that_come_with_iota_have_a_name_beside_folders_of_ones_own(working_folder: Path) -> None:
    (working_folder / "iota.yaml").write_text("rules: [iota:rules, mine]\n")
    assert load_settings().rules == (project_file("rules"), working_folder / "mine")


def test_every_setting_with_a_pattern_has_an_example_that_fits() -> None:
    """An error shows the example: nobody should have to read a pattern."""
    models: list[type[BaseModel]] = [Settings]
    models += [model for field in Settings.model_fields.values() for model in models_in(field.annotation)]
    patterns: dict[str, tuple[Any, list[Any] | None]] = {
        f"{model.__name__}.{name}": (getattr(rule, "pattern", None), field.examples)
        for model in models
        for name, field in model.model_fields.items()
        for rule in field.metadata
        if getattr(rule, "pattern", None)
    }
    assert {"Integration.bucket", "Settings.queue_url", "Sns.topic_arn", "JsonLines.name"} <= set(patterns)
    for name, (pattern, examples) in patterns.items():
        assert examples, name
        assert re.search(pattern, examples[0]), name
