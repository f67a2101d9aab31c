"""The modules that public rules import by name: complete, ours, and the same things underneath."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from types import ModuleType

import pytest

from iota_dagster.core.detection import event, rule_memory
from iota_dagster.core.detection.key_values import MemoryValues, use
from iota_dagster.core.detection.provided import OPTIONAL, SOURCES

REMEMBERING = [
    "add_to_string_set",
    "check_account_age",
    "evaluate_threshold",
    "get_counter",
    "get_dictionary",
    "get_string_set",
    "increment_counter",
    "put_dictionary",
    "put_string_set",
    "remove_from_string_set",
    "reset_counter",
    "reset_string_set",
    "set_key_expiration",
]


def run(name: str) -> ModuleType:
    """A provided module, run by its path as the loader does it."""
    spec = importlib.util.spec_from_file_location(f"as_provided.{name}", SOURCES[name])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_dotted_name_has_its_file() -> None:
    assert sorted(SOURCES) == [
        "panther_core",
        "panther_core.enriched_event",
        "panther_core.immutable",
        "panther_detection_helpers",
        "panther_detection_helpers.caching",
    ]
    assert all(file.is_file() for file in SOURCES.values())


@pytest.mark.parametrize("name", ["panther_detection_helpers", "panther_detection_helpers.caching"])
def test_what_rules_remember_is_offered_by_name(name: str) -> None:
    module = run(name)
    assert sorted(module.__all__) == REMEMBERING
    assert all(getattr(module, function) is getattr(rule_memory, function) for function in REMEMBERING)


def test_a_rule_that_imports_the_helpers_remembers() -> None:
    caching = run("panther_detection_helpers.caching")
    with use(MemoryValues()) as session:
        session.begin({"p_event_time": "2026-11-22T10:00:00Z", "p_event_id": "e"})
        caching.put_string_set("k", ["a"], epoch_seconds=3600)
        assert rule_memory.get_string_set("k") == {"a"}


def test_the_event_is_offered_by_name() -> None:
    for name in ("panther_core", "panther_core.enriched_event"):
        assert run(name).PantherEvent is event.Event
    immutable = run("panther_core.immutable")
    seen = event.Event({"a": {"b": 1}, "c": [1]})
    assert isinstance(seen["a"], immutable.ImmutableCaseInsensitiveDict)
    assert isinstance(seen["c"], immutable.ImmutableList)


def test_the_provided_modules_import_nothing_but_the_detection_core() -> None:
    for file in SOURCES.values():
        for node in ast.walk(ast.parse(file.read_text())):
            assert not isinstance(node, ast.Import)
            if isinstance(node, ast.ImportFrom):
                assert str(node.module).startswith("iota_dagster.core.detection.")


def test_looking_up_what_is_provided_runs_none_of_it() -> None:
    script = "import sys, iota_dagster.core.detection.provided; print('rule_memory' in ' '.join(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


def test_packages_that_may_be_missing_have_the_name_they_are_installed_by() -> None:
    assert OPTIONAL["dateutil"] == "python-dateutil"
    assert not set(OPTIONAL) & (set(SOURCES) | sys.stdlib_module_names)
