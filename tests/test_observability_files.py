"""The dashboard, the alert rules and the scrape and probe settings: they name what iota really shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from iota_dagster.core.observability.metrics import FAMILIES, STAGES, family_of
from iota_dagster.settings import Settings

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "deploy" / "observability"
ALERT_TESTS = ROOT / "tests" / "iota-alerts-tests.yml"
OF_PROMETHEUS = {"up": {"job", "instance"}, "push_time_seconds": {"job", "instance"}}
_SELECTOR = re.compile(r"\b(up|push_time_seconds|iota_[a-z_]+)\b(?:\{([^}]*)\})?")
_SUM = re.compile(r"\bsum\b")
_SUM_OF_ONE_SERVER = re.compile(r"\bsum(?: by \([^)]*\))?\s*\(\s*max without \(instance, pod\)")
_SUM_OF_SCRAPES = re.compile(
    r"\bsum without \(instance, pod(?:, status)?\) \((?:count_over_time|sum_over_time\(iota_store_up)"
)
_GROUPING = re.compile(r"\bby \(([^)]*)\)")


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "grafana-dashboard.json").read_text(encoding="utf-8"))
    return found


def alert_rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "iota-alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def targets() -> list[tuple[str, str]]:
    """(expression, legend) of every panel."""
    panels = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
    return [(target["expr"], target["legendFormat"]) for panel in panels for target in panel["targets"]]


EXPRESSIONS = [*(expression for expression, _ in targets()), *(rule["expr"] for rule in alert_rules())]


def labels_of(name: str) -> set[str]:
    """The labels that a sample of that name has; fails for one that iota does not show."""
    if name in OF_PROMETHEUS:
        return OF_PROMETHEUS[name]
    family = family_of(name)
    assert family is not None, f"{name} is not in core/observability/metrics.py"
    return {*family.labels, *(["le"] if name.endswith("_bucket") else [])}


def available(expression: str) -> set[str]:
    return set().union(*(labels_of(name) for name, _ in _SELECTOR.findall(expression)))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_names_metrics_and_labels_that_are_shown(expression: str) -> None:
    found = _SELECTOR.findall(expression)
    assert found
    for name, selector in found:
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) <= labels_of(name)
        assert set(re.findall(r'stage="(\w+)"', selector)) <= set(STAGES)
    for group in _GROUPING.findall(expression):
        assert {label.strip() for label in group.split(",")} <= available(expression)


@pytest.mark.parametrize(("expression", "legend"), targets())
def test_a_legend_shows_labels_that_its_expression_leaves(expression: str, legend: str) -> None:
    grouped = {label.strip() for group in _GROUPING.findall(expression) for label in group.split(",")}
    assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= (grouped or available(expression))


def test_a_histogram_is_asked_for_its_buckets_by_le() -> None:
    asking = [expression for expression in EXPRESSIONS if "histogram_quantile" in expression]
    assert asking
    for expression in asking:
        assert re.search(r"by \([^)]*\ble\)", expression)


@pytest.mark.parametrize("expression", [expression for expression in EXPRESSIONS if _SUM.search(expression)])
def test_what_several_servers_show_is_summed_up_once(expression: str) -> None:
    """Their scrapes are counted all, on both sides of a comparison."""
    ones, scrapes = _SUM_OF_ONE_SERVER.findall(expression), _SUM_OF_SCRAPES.findall(expression)
    assert len(ones) + len(scrapes) == len(_SUM.findall(expression))


def test_the_dashboard_shows_almost_every_metric() -> None:
    shown = {family_of(name) for expression, _ in targets() for name, _ in _SELECTOR.findall(expression)}
    left_out = {family.name for family in FAMILIES if family not in shown}
    assert left_out <= {
        "iota_batches",
        "iota_bloom_positives_total",
        "iota_commit_conflicts_total",
        "iota_dagster_up",
        "iota_lake_bytes_written_total",
        "iota_lake_files_written_total",
        "iota_last_event_timestamp_seconds",
        "iota_quarantine_items",
        "iota_queue_up",
    }


def test_the_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        taken |= cells
        assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("rule", alert_rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_is_wrong_and_how_bad_it_is(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"].endswith(".")
    text = " ".join(rule["annotations"].values())
    grouped = {label.strip() for group in _GROUPING.findall(rule["expr"]) for label in group.split(",")}
    kept = (grouped or available(rule["expr"])) - {"le"}
    assert set(re.findall(r"\$labels\.(\w+)", text)) <= kept


def test_prometheus_scrapes_the_port_that_is_the_default() -> None:
    port = Settings().metrics_port
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    assert config["scrape_configs"][0]["static_configs"][0]["targets"] == [f"127.0.0.1:{port}"]
    assert [(FOLDER / name).exists() for name in config["rule_files"]] == [True]
    for item in yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text(encoding="utf-8")):
        assert str(port) in json.dumps(item)


def test_the_probes_of_kubernetes_ask_what_the_server_answers() -> None:
    deployment = next(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text(encoding="utf-8")))
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    paths = {name: container[name]["httpGet"]["path"] for name in container if name.endswith("Probe")}
    assert paths == {"livenessProbe": "/health", "readinessProbe": "/ready", "startupProbe": "/health"}
    assert container["readinessProbe"]["timeoutSeconds"] > 2  # a check has two seconds


def test_a_pod_is_told_where_the_settings_and_dagsters_are() -> None:
    text = (FOLDER / "kubernetes.yaml").read_text(encoding="utf-8")
    pod = next(yaml.safe_load_all(text))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {item["name"]: item["mountPath"] for item in container["volumeMounts"]}
    assert mounts.keys() == {item["name"] for item in pod["volumes"]}
    env = {item["name"]: item["value"] for item in container["env"]}
    assert env["IOTA_CONFIG"] == f"{mounts['settings']}/iota.yaml"
    assert (env["DAGSTER_HOME"], env["IOTA_HOME"]) == (mounts["settings"], mounts["home"])
    assert container["envFrom"] == [{"secretRef": {"name": "iota"}}]
    asked_for = re.findall(r"\{env: (\w+)\}", (ROOT / "deploy" / "aws" / "dagster.yaml").read_text(encoding="utf-8"))
    assert [name for name in asked_for if f" {name}" not in text] == []


def promtool() -> str:
    """The tool; without it a test is skipped, in CI (`CI` is set) that is a failure."""
    found = shutil.which("promtool")
    if found is None:
        missing = "no promtool in PATH: install prometheus"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def test_prometheus_itself_takes_rules_and_settings() -> None:
    for what, name in (("rules", "iota-alerts.yml"), ("config", "prometheus.yml")):
        result = subprocess.run([promtool(), "check", what, FOLDER / name], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    command = [promtool(), "test", "rules", str(ALERT_TESTS)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    tests = yaml.safe_load(ALERT_TESTS.read_text(encoding="utf-8"))["tests"]
    cases = [case for test in tests for case in test["promql_expr_test"]]
    found = {(re.findall(r'alertname="(\w+)"', case["expr"])[0], bool(case["exp_samples"])) for case in cases}
    assert found == {(rule["alert"], fires) for rule in alert_rules() for fires in (True, False)}


COUNTED = {
    ("stat", "Events kept"): 'iota_events_total{log_type="AWS.CloudTrail",status="kept"}',
    ("stat", "Alerts"): 'iota_alerts_total{severity="HIGH",rule="Test.SignIn"}',
    ("timeseries", "Alerts"): 'iota_alerts_total{severity="HIGH",rule="Test.SignIn"}',
    ("timeseries", "Busiest rules"): 'iota_rule_results_total{rule="Test.SignIn",result="matched"}',
    ("timeseries", "Rule errors"): 'iota_rule_results_total{rule="Test.SignIn",result="error"}',
    ("timeseries", "Quarantined"): 'iota_quarantined_total{reason="unclassified"}',
}
GROWTHS = {
    "a first burst, then another": ("1x1600", "_x30 10x29 13x1600", 80, 13),
    "a later burst": ("1x1600", "5x30 18x1600", 80, 13),
    "what is old after an outage of the store, an hour later": ("1x90 0x2 1x1600", "13x90 stale _x2 13x1600", 152, 0),
    "the same, a day later": ("1x90 0x2 1x1600", "13x90 stale _x2 13x1600", 1532, 0),
    "what is old where Prometheus is new": ("_x20 1x1600", "_x20 13x1600", 40, 0),
}


@pytest.mark.parametrize(("kind", "title"), COUNTED)
def test_a_panel_of_counts_shows_a_first_burst_and_nothing_that_is_old(kind: str, title: str, tmp_path: Path) -> None:
    (panel,) = [panel for panel in dashboard()["panels"] if (panel["type"], panel["title"]) == (kind, title)]
    asked = f"round(sum({panel['targets'][0]['expr']})) or vector(0)"
    cases = [
        {
            "name": name,
            "interval": "1m",
            "input_series": [
                {"series": "iota_store_up", "values": up},
                {"series": COUNTED[kind, title], "values": values},
            ],
            "promql_expr_test": [
                {"expr": asked, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": value}]}
            ],
        }
        for name, (up, values, minute, value) in GROWTHS.items()
    ]
    file = tmp_path / "panel.yml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": cases}))
    result = subprocess.run([promtool(), "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
