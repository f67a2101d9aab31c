"""What a folder of rules may hold beside plain Python rules, from the files to the matches."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from iota_dagster.core.detection.authoring.rule_tests import run_tests
from iota_dagster.core.detection.engine import Engine
from iota_dagster.core.detection.key_values import MemoryValues
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.modules import Importer
from iota_dagster.core.detection.processes.rule_workers import RuleWorkers, Task
from iota_dagster.core.detection.rule import RulePack
from iota_dagster.core.detection.surroundings import load_surroundings
from iota_dagster.core.detection.verdict import RuleFailure, RuleMatch

ALWAYS = "def rule(event):\n    return True\n"
HEAD = "RuleID: My.Rule\nEnabled: true\nLogTypes: [Test.Log]\nSeverity: Low\n"


def pack(folder: Path, **files: str) -> RulePack:
    for name, text in files.items():
        stem, _, kind = name.rpartition("_")
        (folder / f"{stem}.{kind}").write_text(text)
    return load_rules([folder])


def started(loaded: RulePack) -> tuple[Engine, list[RuleFailure]]:
    """A pack's engine, as a worker starts it, and what of the pack is broken."""
    importer = Importer()
    context, failed = load_surroundings(loaded.surroundings, importer)
    engine = Engine(loaded.rules, importer=importer, context=context)
    return engine, [*failed, *engine.broken]


def matches(loaded: RulePack, *events: Mapping[str, object]) -> list[RuleMatch]:
    assert loaded.errors == ()
    engine, broken = started(loaded)
    assert broken == []
    verdict = engine.evaluate("Test.Log", [msgspec.json.encode(event) for event in events])
    assert verdict.failures == []
    return verdict.matches


SIMPLE = f"""AnalysisType: rule
{HEAD}Detection:
  - {{KeyPath: action, Condition: IsIn, Values: [delete, drop]}}
  - {{KeyPath: actor.name, Condition: DoesNotEqual, Value: backup}}
AlertTitle: "{{actor.name}} did {{action}}"
GroupBy: [{{KeyPath: actor.name}}]
DynamicSeverities: [{{ChangeTo: High, Conditions: [{{KeyPath: action, Condition: Equals, Value: drop}}]}}]
AlertContext: [{{KeyName: who, KeyValue: {{KeyPath: actor.name}}}}]
Tests:
  - {{Name: a drop, ExpectedResult: true, ExpectedSeverity: HIGH, Log: {{action: drop, actor: {{name: mallory}}}}}}
  - {{Name: a backup, ExpectedResult: false, Log: {{action: drop, actor: {{name: backup}}}}}}
"""


def test_a_rule_without_python_is_judged_and_routed_like_any_other(tmp_path: Path) -> None:
    loaded = pack(tmp_path, simple_yml=SIMPLE)
    (match,) = matches(
        loaded,
        {"action": "delete", "actor": {"name": "mallory"}},
        {"action": "delete", "actor": {"name": "backup"}},
        {"action": "read", "actor": {"name": "mallory"}},
    )
    assert (match.title, match.dedup, match.severity) == ("mallory did delete", "mallory", "LOW")
    assert match.context == {"who": "mallory"}
    assert set(loaded.rules[0].need["action"].exact) == {"delete", "drop"}
    assert run_tests(loaded).failures == ()


def test_a_wrong_condition_is_an_error_on_its_line(tmp_path: Path) -> None:
    loaded = pack(tmp_path, simple_yml=SIMPLE.replace("IsIn,", "IsInn,"))
    (error,) = loaded.errors
    assert (error.file.name, error.line) == ("simple.yml", 7)
    assert "IsIn" in error.detail


def test_a_number_that_cannot_be_sent_to_a_worker_is_an_error(tmp_path: Path) -> None:
    loaded = pack(tmp_path, simple_yml=SIMPLE.replace("Value: backup", f"Value: {2**70}"))
    assert [error.file.name for error in loaded.errors] == ["simple.yml"]
    assert loaded.rules == ()


def test_inline_filters_narrow_a_rule(tmp_path: Path) -> None:
    filters = "InlineFilters: [{All: [{KeyPath: env, Condition: Equals, Value: prod}]}]\n"
    loaded = pack(
        tmp_path,
        a_yml=f"AnalysisType: rule\nFilename: a.py\n{HEAD}{filters}",
        a_py="def rule(event):\n    return True\n",
    )
    assert [match.index for match in matches(loaded, {"env": "dev"}, {"env": "prod"}, {})] == [1]


POLICY = """AnalysisType: policy
PolicyID: My.Policy
Filename: p.py
Enabled: true
ResourceTypes: [Test.Log]
Severity: Low
Tests:
  - {Name: kept, ExpectedResult: true, Resource: {Public: false}}
  - {Name: broken, ExpectedResult: false, Resource: {Public: true}}
"""


def test_a_policy_alerts_where_it_is_not_kept_and_gets_a_plain_dict(tmp_path: Path) -> None:
    code = "def policy(resource):\n    assert type(resource) is dict\n    return not resource['Public']\n"
    loaded = pack(tmp_path, p_yml=POLICY, p_py=code)
    assert [match.index for match in matches(loaded, {"Public": False}, {"Public": True})] == [1]
    assert run_tests(loaded).failures == ()


MODEL = """AnalysisType: datamodel
DataModelID: Model
Filename: m.py
Enabled: true
LogTypes: [Test.Log]
Mappings:
  - {Name: source_ip, Path: $.client.ip}
  - {Name: user, Method: user}
"""


def test_a_data_model_gives_one_name_to_what_lies_elsewhere(tmp_path: Path) -> None:
    loaded = pack(
        tmp_path,
        m_yml=MODEL,
        m_py="def user(event):\n    return event.get('who').upper()\n",
        a_yml=f"AnalysisType: rule\nFilename: a.py\n{HEAD}",
        a_py=ALWAYS + "def title(event):\n    return event.udm('source_ip') + event.udm('user')\n",
    )
    event = {"p_log_type": "Test.Log", "client": {"ip": "203.0.113.7"}, "who": "eve"}
    assert [match.title for match in matches(loaded, event)] == ["203.0.113.7EVE"]


TABLE = """AnalysisType: lookup_table
LookupName: hosts
Enabled: true
Filename: hosts.csv
LogTypeMap: {PrimaryKey: ip, AssociatedLogTypes: [{LogType: Test.Log, Selectors: [client.ip]}]}
"""


def test_a_lookup_table_stands_beside_the_events(tmp_path: Path) -> None:
    code = "def rule(event):\n    return event.deep_get('p_enrichment', 'hosts', 'client.ip', 'owner') == 'ops'\n"
    loaded = pack(
        tmp_path,
        t_yml=TABLE,
        hosts_csv="ip,owner\n203.0.113.0/24,ops\n",
        a_yml=f"AnalysisType: rule\nFilename: a.py\n{HEAD}",
        a_py=code + "def title(event):\n    return event.lookup('hosts', '203.0.113.9')['owner']\n",
    )
    inside = {"p_log_type": "Test.Log", "client": {"ip": "203.0.113.7"}}
    outside = {"p_log_type": "Test.Log", "client": {"ip": "198.51.100.7"}}
    assert [(match.index, match.title) for match in matches(loaded, outside, inside)] == [(1, "ops")]


def test_a_table_that_cannot_be_read_is_named_and_the_rules_go_on(tmp_path: Path) -> None:
    loaded = pack(
        tmp_path,
        t_yml=TABLE,
        a_yml=f"AnalysisType: rule\nFilename: a.py\n{HEAD}",
        a_py="def rule(event):\n    return True\n",
    )
    engine, (failure,) = started(loaded)
    assert (failure.rule_id, failure.function) == ("hosts", "lookup table")
    assert len(engine.evaluate("Test.Log", [b"{}"]).matches) == 1


REMEMBERS = """
from panther_detection_helpers.caching import add_to_string_set, get_string_set


def rule(event):
    seen = get_string_set(event.get("user"))
    add_to_string_set(event.get("user"), event.get("ip"))
    return bool(seen) and event.get("ip") not in seen
"""


def test_what_a_rule_remembers_goes_from_worker_to_batch_to_worker_and_a_second_run_says_the_same(
    tmp_path: Path,
) -> None:
    loaded = pack(tmp_path, a_yml=f"AnalysisType: rule\nFilename: a.py\n{HEAD}", a_py=REMEMBERS)
    assert loaded.remembers
    moment = datetime(2026, 11, 22, 9, tzinfo=UTC)
    events = [("eve", "a"), ("eve", "a"), ("bob", "b"), ("eve", "c"), ("bob", "b")]
    records = [
        msgspec.json.encode({"p_event_id": str(n), "p_event_time": moment.replace(minute=n), "user": user, "ip": ip})
        for n, (user, ip) in enumerate(events)
    ]
    workers = RuleWorkers(loaded, processes=2)
    values = MemoryValues()
    try:
        for _ in range(2):
            verdicts = list(workers.evaluate([Task("Test.Log", [record]) for record in records], values))
            assert [len(verdict.matches) for verdict in verdicts] == [0, 0, 0, 1, 0]
            assert [failure for verdict in verdicts for failure in verdict.failures] == []
    finally:
        workers.close()


def test_a_missing_optional_package_is_named(tmp_path: Path) -> None:
    code = "import policyuniverse\ndef rule(event):\n    return True\n"
    loaded = pack(tmp_path, a_yml=f"AnalysisType: rule\nFilename: a.py\n{HEAD}", a_py=code)
    (failure,) = Engine(loaded.rules).broken
    assert "the package policyuniverse is not installed: install iota with its extra `rules`" in failure.error
