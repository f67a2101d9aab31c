"""The project around the code: lock, targets, licence, packaging."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TARGETS = {"help", "setup", "test", "lint", "format", "demo", "dev", "bench", "clean"}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def locked() -> dict[str, list[str]]:
    """The versions of each package in the lock; more than one where they differ by Python version."""
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\n]+)", read("requirements.lock"), re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


def test_the_lock_holds_every_dependency_in_an_allowed_version() -> None:
    versions = locked()
    project = PROJECT["project"]
    for text in [
        *project["dependencies"],
        *project["optional-dependencies"]["dev"],
        *PROJECT["build-system"]["requires"],
    ]:
        wanted = Requirement(text)
        found = versions.get(canonicalize_name(wanted.name), [])
        assert found, f"{wanted.name} is not in requirements.lock: run `make lock`"
        assert all(wanted.specifier.contains(version) for version in found), f"{wanted}: locked is {found}"


def test_the_lock_names_no_machine_and_no_index() -> None:
    assert not re.search(r"://|^-|^/", read("requirements.lock"), re.MULTILINE)


def test_every_make_target_says_what_it_does() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    assert targets >= TARGETS
    (phony,) = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)", read("Makefile"), re.MULTILINE)
    assert set(phony.replace("\\", "").split()) == targets
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    shown = subprocess.run(
        ["make", "help"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert {line.split()[0] for line in shown.splitlines()} == targets


def test_the_ci_script_can_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()
    subprocess.run(["bash", "-n", script], check=True)


def test_the_workspace_loads_the_definitions_module() -> None:
    assert yaml.safe_load(read("workspace.yaml")) == {"load_from": [{"python_module": "iota_dagster.definitions"}]}


def test_what_the_wheel_takes_along_is_there() -> None:
    for name in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]:
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("part", ["Apache License", "Version 2.0, January 2004", "END OF TERMS AND CONDITIONS"])
def test_the_licence_is_there_in_full(part: str) -> None:
    assert part in read("LICENSE")


def test_the_changelog_starts_with_what_is_not_released() -> None:
    sections = re.findall(r"^## \[(.+?)\]", read("CHANGELOG.md"), re.MULTILINE)
    assert sections[0] == "Unreleased"


def test_the_image_holds_what_the_wheel_needs_and_runs_without_root() -> None:
    lines = re.findall(r"^([A-Z]+) (.+)$", read("deploy/Dockerfile"), re.MULTILINE)
    copied = {name for word, rest in lines if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]}
    assert [name for name in copied if not (ROOT / name).exists()] == []
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    packed = {*wheel["packages"], *wheel["force-include"]}
    needed = {"pyproject.toml", "requirements.lock", PROJECT["project"]["readme"], *packed}
    assert [name for name in needed if name not in copied and name.partition("/")[0] not in copied] == []
    assert {rest.split()[0] for word, rest in lines if word == "FROM"} == {"python:3.11-slim"}
    assert [rest for word, rest in lines if word == "USER"] == ["10001"]
    (extras,) = re.findall(r"'\.\[([a-z,]+)\]'", read("deploy/Dockerfile"))
    assert set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"])


def test_every_extra_is_explained() -> None:
    _, _, below = read("docs/operations.md").partition("| extra | for |\n")
    table, _, _ = below.partition("\n\n")
    extras = set(PROJECT["project"]["optional-dependencies"]) - {"dev"}
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == extras
