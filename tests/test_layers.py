"""Who may import whom: the arrows of the design point downward only."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "iota_dagster"
CORE = PACKAGE / "core"
# settings.py reads the environment; a worker process only throws credentials out of its own.
# Besides the settings: what workers must not inherit, and the demo's world of its own.
ENVIRONMENT = {PACKAGE / "settings.py", CORE / "workers.py", PACKAGE / "demo" / "environment.py"}
# What a worker process loads; it must start in a tenth of a second and hold no credentials.
WORKER_MODULES = ("iota_dagster.core.ingest.ingest", "iota_dagster.core.detection.engine")


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Each imported name with its line, wherever in the file it stands; relative ones made absolute."""
    package = path.relative_to(PACKAGE.parent).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def offenders(paths: list[Path], *banned: str) -> list[str]:
    """`file:line name` of each import of a banned module or of something inside one."""
    return [
        f"{path.relative_to(PACKAGE.parent)}:{line} {name}"
        for path in paths
        for line, name in imports(path)
        if any(f"{name}.".startswith(f"{module}.") for module in banned)
    ]


def test_core_knows_neither_dagster_nor_a_terminal() -> None:
    assert not offenders(sources(CORE), "dagster", "dagster_aws", "dagster_shared", "click", "rich")


def test_core_knows_nothing_above_it() -> None:
    above = [f"iota_dagster.{path.stem}" for path in PACKAGE.iterdir() if path.stem not in {"core", "__init__"}]
    assert not offenders(sources(CORE), *above)


def test_tests_of_the_domain_lie_in_folders_named_like_its_packages() -> None:
    tests = Path(__file__).parent / "core"
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")}
    assert len(folders) > 20
    assert not [str(folder) for folder in folders if not (CORE / folder / "__init__.py").exists()]


def test_aws_clients_are_made_in_one_place() -> None:
    others = [path for path in sources(PACKAGE) if path != CORE / "aws" / "clients.py"]
    assert not offenders(others, "boto3")


def test_clients_of_our_own_are_made_from_the_settings_in_one_place() -> None:
    """Besides it: who gives up sooner than others, and the demo's world."""
    known = {"own_clients.py", "server.py", "doctor_checks/site.py", "demo/embedded_aws.py"}
    others = [path for path in sources(PACKAGE) if path.relative_to(PACKAGE).as_posix() not in known]
    above_core = [path for path in others if CORE not in path.parents]
    assert not offenders(above_core, "iota_dagster.core.aws.clients.ClientOptions")


def test_opentelemetry_is_known_in_one_place() -> None:
    others = [path for path in sources(PACKAGE) if path != PACKAGE / "otel.py"]
    assert not offenders(others, "opentelemetry")


def test_the_stores_tables_are_known_to_core_only() -> None:
    above_core = [path for path in sources(PACKAGE) if CORE not in path.parents]
    assert not offenders(above_core, "iota_dagster.core.store.schema")


def test_the_environment_is_read_in_one_place() -> None:
    found = [
        f"{path.relative_to(PACKAGE.parent)}:{node.lineno}"
        for path in sources(PACKAGE)
        if path not in ENVIRONMENT
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in {"environ", "environb", "getenv", "putenv"}
        and ast.unparse(node.value) == "os"
    ]
    assert not found
    assert not offenders(sources(PACKAGE), "os.environ", "os.getenv")


@pytest.mark.parametrize("module", WORKER_MODULES)
def test_a_worker_process_loads_no_dagster(module: str) -> None:
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert not {"boto3", "dagster", "great_expectations", "pandas"} & set(result.stdout.split())
