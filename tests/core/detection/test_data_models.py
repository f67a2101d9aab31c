"""Data models: one name for the same thing in many log types."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from iota_dagster.core.detection.data_models import DataModel, DataModelError, DataModels
from iota_dagster.core.detection.event import Event, EventContext
from iota_dagster.core.detection.shared_files import DataModelFile
from iota_dagster.core.yaml12 import load

YAML = """
AnalysisType: datamodel
DataModelID: Standard.Test
DisplayName: Test
Filename: test_data_model.py
Enabled: true
LogTypes: [Test.Log, Test.Other]
Mappings:
  - {Name: source_ip, Path: $.client.ip}
  - {Name: is_admin, Path: admin}
  - {Name: roles, Path: "$.parameters[?(@.name == 'ROLE')].value"}
  - {Name: event_type, Method: get_event_type}
"""


def get_event_type(event: Event) -> str | None:
    return "login" if event.deep_get("client", "ip") else None


def fails(event: Event) -> str:
    raise KeyError("user")


MODULE = SimpleNamespace(get_event_type=get_event_type, fails=fails, number=1)


def model(text: str = YAML) -> DataModel:
    return DataModel.of(DataModelFile.model_validate(load(text).value).spec(Path("models"), ()), MODULE)


def event(data: dict[str, Any], log_type: object = "Test.Log") -> Event:
    return Event({"p_log_type": log_type, **data}, EventContext(models=DataModels([model()])))


def test_a_name_is_read_where_the_model_says() -> None:
    login = event({"client": {"ip": "203.0.113.7"}, "source_ip": "own"})
    assert login.udm("source_ip") == "203.0.113.7"
    assert login.udm("event_type") == "login"
    assert login.udm_path("source_ip") == "client.ip"
    assert login.udm_path("event_type") == "get_event_type"
    assert event({"client": {"ip": "192.0.2.1"}}, "Test.Other").udm("source_ip") == "192.0.2.1"


def test_a_name_that_is_mapped_but_missing_is_the_default() -> None:
    other = event({"source_ip": "own", "p_udm": {"source_ip": "unified"}})
    assert other.udm("source_ip") is None
    assert other.udm("source_ip", default="d") == "d"
    assert other.udm("event_type", default="d") == "d"


def test_a_mapped_value_that_is_false_stays() -> None:
    assert event({"admin": False}).udm("is_admin", default=True) is False


def test_a_path_to_one_of_many_is_that_one() -> None:
    role = {"name": "ROLE", "value": "admin"}
    assert event({"parameters": [role, {"name": "USER", "value": "ann"}]}).udm("roles") == "admin"
    assert event({"parameters": [role, role]}).udm("roles") == ["admin", "admin"]


@pytest.mark.parametrize("log_type", ["Test.Unknown", None, {"a": 1}])
def test_without_a_model_for_its_log_type_an_event_is_read_itself(log_type: object) -> None:
    plain = event({"source_ip": "own", "p_udm": {"actor": {"name": "ann"}}, "client": {"ip": "x"}}, log_type)
    assert plain.udm("source_ip") == "own"
    assert plain.udm("actor", "name") == "ann"
    assert plain.udm("client", "ip") == "x"
    assert plain.udm_path("actor.name") == "p_udm.actor.name"


def test_a_name_that_the_model_lacks_is_read_from_the_event_itself() -> None:
    assert event({"user": "ann"}).udm("user") == "ann"
    assert event({"p_udm": {"user": ""}, "user": 0}).udm("user", default="d") == "d"


def test_a_method_that_fails_is_the_rules_error() -> None:
    failing = DataModel("x", ("Test.Log",), {"user": "fails"}, MODULE)
    broken = Event({"p_log_type": "Test.Log"}, EventContext(models=DataModels([failing])))
    with pytest.raises(KeyError, match="user"):
        broken.udm("user")


def test_a_model_must_have_its_functions() -> None:
    with pytest.raises(DataModelError, match=r"Standard\.Test: event_type: there is no function number in .*test_data"):
        model(YAML.replace("get_event_type", "number"))


def test_a_log_type_has_one_model() -> None:
    other = DataModel("Mine", ("Test.Other",), {})
    with pytest.raises(DataModelError, match=r"Test\.Other has two data models, Standard\.Test and Mine"):
        DataModels([model(), other])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (("Path: admin", "Path: admin, Method: x"), "either Path or Method"),
        (("Path: admin", "Path: a..b"), "is no path"),
        (("Name: is_admin", "Nmae: is_admin"), "Nmae"),
        (("LogTypes: [Test.Log, Test.Other]", "LogTypes: []"), "LogTypes"),
    ],
)
def test_a_wrong_file_is_refused(change: tuple[str, str], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        model(YAML.replace(*change))
