"""Loading rules: from which files, with which imports, and what is said about broken ones."""

import sys
from pathlib import Path
from typing import Any

import pytest

from iota_dagster.core.detection.engine import Engine
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.rule import RulePack

YES = "def rule(event):\n    return True\n"


def write(folder: Path, name: str, code: str | None = YES, **keys: object) -> Path:
    """A rule's two files; keys set to None are left out."""
    metadata = {
        "AnalysisType": "rule",
        "Filename": f"{name}.py",
        "RuleID": name,
        "Enabled": "true",
        "LogTypes": "[T]",
        "Severity": "Low",
    } | keys
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.yml"
    file.write_text("".join(f"{key}: {value}\n" for key, value in metadata.items() if value is not None))
    if code is not None:
        (folder / f"{name}.py").write_text(code)
    return file


def messages(pack: RulePack, folder: Path) -> list[str]:
    return [str(error).replace(f"{folder}/", "") for error in pack.errors]


def test_a_rule_is_loaded_with_its_metadata_and_the_defaults(tmp_path: Path) -> None:
    write(tmp_path, "a", Description=None, Runbook="", Tags="[x]", Reports="{MITRE ATT&CK: ['TA0001:T1078']}")
    (rule,) = load_rules([tmp_path]).rules
    assert (rule.id, rule.severity, rule.log_types) == ("a", "LOW", ("T",))
    assert (rule.period_minutes, rule.threshold, rule.create_alert, rule.enabled) == (60, 1, True, True)
    assert (rule.title, rule.description, rule.runbook, rule.tags) == ("", "", "", ("x",))


def test_an_unknown_key_is_an_error_that_names_file_line_and_the_nearest_key(tmp_path: Path) -> None:
    write(tmp_path, "a", Severty="High", Tests="[{Name: t, ExpectedResult: true, Lg: {}}]")
    assert messages(load_rules([tmp_path]), tmp_path) == [
        "a.yml:8: Tests.0.Log is missing",
        "a.yml:8: unknown key Tests.0.Lg; did you mean Log?",
        "a.yml:7: unknown key Severty; did you mean Severity?",
    ]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"Severity": "Huge"}, "a.yml:6: Severity: input should be 'INFO', 'LOW', 'MEDIUM', 'HIGH' or 'CRITICAL'"),
        ({"Enabled": "yes"}, "a.yml:4: Enabled: input should be a valid boolean"),
        ({"DedupPeriodMinutes": 4}, "a.yml:7: DedupPeriodMinutes: input should be greater than or equal to 5"),
        ({"RuleID": None}, "a.yml:1: RuleID is missing"),
        ({"AnalysisType": "rul"}, "a.yml:1: AnalysisType is rul; it is one of rule, scheduled_rule,"),
        ({"AnalysisType": None}, "a.yml:1: AnalysisType is missing; it is one of rule,"),
        ({"Filename": "b.py"}, "a.yml:2: Filename: there is no b.py"),
        ({"RuleID": "["}, "a.yml:5: did not find expected"),
    ],
)
def test_a_wrong_key_is_an_error_that_names_file_and_line(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    write(tmp_path, "a", **keys)
    pack = load_rules([tmp_path])
    assert pack.rules == ()
    assert messages(pack, tmp_path)[0].startswith(message)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1\ndef rule(event)\n", "a.py:2: does not compile: expected ':'"),
        ("x = 1\n", "a.py:1: cannot be loaded: it defines no function rule"),
        ("import broken\ndef rule(event): pass\n", "global_helpers/broken.py:2: does not compile"),
    ],
)
def test_broken_code_is_an_error_and_the_other_rules_are_loaded(tmp_path: Path, code: str, message: str) -> None:
    write(tmp_path, "a", code)
    write(tmp_path, "b")
    (tmp_path / "global_helpers").mkdir()
    (tmp_path / "global_helpers" / "broken.py").write_text("#\n1 /\n")
    pack = load_rules([tmp_path])
    assert [rule.id for rule in pack.rules] == ["b"]
    assert messages(pack, tmp_path)[0].startswith(message)


def test_a_rule_id_belongs_to_one_file(tmp_path: Path) -> None:
    write(tmp_path, "a")
    write(tmp_path, "b", RuleID="a")
    pack = load_rules([tmp_path])
    assert messages(pack, tmp_path) == ["b.yml:3: RuleID a is taken by a.yml"]


def test_a_missing_folder_and_an_unreadable_file_are_errors(tmp_path: Path) -> None:
    (tmp_path / "a.yml").symlink_to(tmp_path / "nowhere.yml")
    found = messages(load_rules([tmp_path, tmp_path / "none"]), tmp_path)
    assert found == [
        "a.yml:1: cannot be read: No such file or directory",
        "none:1: there is no such file or folder of rules",
    ]


def test_what_holds_no_rule_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "d", InlineFilters="[{All: []}]")
    write(tmp_path, "e", AnalysisType="global", RuleID=None, GlobalID="e")
    write(tmp_path, "q", AnalysisType="saved_query", RuleID=None, QueryName="q")
    (tmp_path / "f.yaml").write_text("services: [not, ours]\n")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "g.yml").write_text("[")
    pack = load_rules([tmp_path])
    assert [(rule.id, rule.filters) for rule in pack.rules] == [("d", [])]
    assert (pack.errors, pack.skipped) == ((), ())


def test_files_of_the_same_name_in_two_folders_stay_apart(tmp_path: Path) -> None:
    code = "import near\ndef rule(event):\n    import lazy\n    return True\ndef title(event):\n    return near.NAME\n"
    for name in ("one", "two"):
        file = write(tmp_path / name, "same", code, RuleID=name)
        (file.parent / "near.py").write_text(f"NAME = {name!r}\n")
        (file.parent / "lazy.py").write_text("")
    before = set(sys.modules), list(sys.path)
    matches = Engine(load_rules([tmp_path]).rules).evaluate("T", [b"{}"]).matches
    assert [(match.rule_id, match.title) for match in matches] == [("one", "one"), ("two", "two")]
    assert (set(sys.modules), list(sys.path)) == before
    assert not list(tmp_path.rglob("__pycache__"))


def test_two_rules_of_one_file_have_a_module_each(tmp_path: Path) -> None:
    code = "count = 0\ndef rule(event):\n    global count\n    count += 1\n    return True\n"
    code += "def title(event):\n    return str(count)\n"
    write(tmp_path, "a", code)
    write(tmp_path, "b", None, Filename="a.py")
    matches = Engine(load_rules([tmp_path]).rules).evaluate("T", [b"{}"]).matches
    assert [match.title for match in matches] == ["1", "1"]


@pytest.mark.parametrize("given", ["rules", "rules/deep", "rules/deep/a.yml"])
def test_helpers_are_found_beside_the_rules_and_above_them(
    tmp_path: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "rules" / "deep", "a", "from helper import rule\n")
    (tmp_path / "global_helpers").mkdir()
    (tmp_path / "global_helpers" / "helper.py").write_text("def rule(event):\n    import other\n    return other.YES\n")
    (tmp_path / "global_helpers" / "other.py").write_text("YES = True\n")
    monkeypatch.chdir(tmp_path)
    pack = load_rules([Path(given)])
    monkeypatch.chdir("/")  # imports inside functions do not depend on where the process is
    assert pack.errors == ()
    assert len(Engine(pack.rules).evaluate("T", [b"{}"]).matches) == 1


def test_packages_relative_imports_and_circles_work(tmp_path: Path) -> None:
    write(tmp_path, "a", "import kit.tools\nfrom kit import more\n" + YES.replace("True", "kit.tools.YES is more.YES"))
    kit = tmp_path / "kit"
    kit.mkdir()
    (kit / "__init__.py").write_text("from . import tools\n")
    (kit / "tools.py").write_text("import kit\nfrom .more import YES\n")
    (kit / "more.py").write_text("import kit.tools\nYES = object()\n")
    pack = load_rules([tmp_path])
    assert pack.errors == ()
    assert len(Engine(pack.rules).evaluate("T", [b"{}"]).matches) == 1


def test_a_rule_called_like_a_standard_module_hides_nothing(tmp_path: Path) -> None:
    write(tmp_path, "json")
    write(tmp_path, "z", "import json\ndef rule(event):\n    return json.loads('true')\n")
    pack = load_rules([tmp_path])
    assert len(Engine(pack.rules).evaluate("T", [b"{}"]).matches) == 2


def test_the_version_follows_the_content_and_not_the_place(tmp_path: Path) -> None:
    def versions(folder: Path) -> tuple[str, dict[str, str]]:
        pack = load_rules([folder])
        return pack.version, {rule.id: rule.version for rule in pack.rules}

    for folder in (tmp_path / "x", tmp_path / "y"):
        write(folder, "a", "def rule(event):\n    from helper import f\n    return f()\n")
        write(folder, "b")
        (folder / "global_helpers").mkdir()
        (folder / "global_helpers" / "helper.py").write_text("def f():\n    return True\n")
    old, rules = versions(tmp_path / "x")
    assert versions(tmp_path / "y") == (old, rules)

    (tmp_path / "y" / "global_helpers" / "helper.py").write_text("def f():\n    return False\n")
    new, changed = versions(tmp_path / "y")
    assert new != old
    assert (changed["a"] != rules["a"], changed["b"] == rules["b"]) == (True, True)

    write(tmp_path / "x", "b", Enabled="false")
    assert versions(tmp_path / "x")[0] != old


def test_a_file_given_twice_is_loaded_once(tmp_path: Path) -> None:
    file = write(tmp_path, "a")
    pack = load_rules([tmp_path, file])
    assert (len(pack.rules), pack.errors) == (1, ())


def test_numbers_in_reports_are_taken_as_texts_and_an_empty_list_as_none(tmp_path: Path) -> None:
    write(tmp_path, "a", Reports="{CIS: [1.1, 2, 7.1.2], PCI: }")
    pack = load_rules([tmp_path])
    assert (pack.errors, pack.rules[0].reports) == ((), {"CIS": ["1.1", "2", "7.1.2"], "PCI": []})


def test_a_boolean_in_reports_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "a", Reports="{CIS: [true]}")
    assert messages(load_rules([tmp_path]), tmp_path) == ["a.yml:7: Reports.CIS.0: input should be a valid string"]


MODEL = (
    "AnalysisType: datamodel\nDataModelID: m\nEnabled: true\nLogTypes: [T]\nFilename: m.py\n"
    "Mappings: [{Name: x, Method: x}]\n"
)
TABLE = "AnalysisType: lookup_table\nLookupName: t\nEnabled: true\nFilename: t.csv\nLogTypeMap: {PrimaryKey: k}\n"


def test_code_of_data_models_and_rows_of_tables_are_in_the_versions_of_the_rules_that_ask_them(tmp_path: Path) -> None:
    write(tmp_path, "plain")
    write(tmp_path, "models", "def rule(event):\n    return event.udm('x') == 1\n")
    write(tmp_path, "tables", "def rule(event):\n    return event.lookup('t', 'a') is not None\n")
    (tmp_path / "model.yml").write_text(MODEL)
    (tmp_path / "m.py").write_text("def x(event):\n    return 1\n")
    (tmp_path / "table.yml").write_text(TABLE)
    (tmp_path / "t.csv").write_text("k,v\na,1\n")

    def changed(before: RulePack, after: RulePack) -> list[str]:
        assert not after.errors
        assert before.version != after.version
        return [one.id for one, other in zip(before.rules, after.rules, strict=True) if one.version != other.version]

    first = load_rules([tmp_path])
    (tmp_path / "m.py").write_text("def x(event):\n    return 2\n")
    second = load_rules([tmp_path])
    assert changed(first, second) == ["models"]
    (tmp_path / "t.csv").write_text("k,v\na,2\n")
    assert changed(second, load_rules([tmp_path])) == ["tables"]
