"""Where runs may be started, given where the store is; and what is left of a run when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
import yaml

from iota_dagster.core.errors import SettingsError
from iota_dagster.core.observability import metrics
from iota_dagster.core.store import figures
from iota_dagster.core.store.database import Database
from iota_dagster.defs.resources import resources
from iota_dagster.defs.resources.platform import PlatformResource, refuse_distant_runs
from iota_dagster.launcher import LocalRunLauncher
from iota_dagster.settings import Settings


class DistantLauncher:
    __module__ = "dagster_k8s.launcher"


SHARED = {
    "store_url": "postgresql://iota@localhost/iota",
    "lake_url": "s3://example-lake/lake",
    "work_url": "s3://example-lake/work",
    "state_url": "s3://example-lake/state",
    "spool_url": "s3://example-lake/spool",
}


@pytest.mark.parametrize("name", SHARED)
def test_what_lies_on_this_host_alone_refuses_runs_on_other_hosts(tmp_path: Path, name: str) -> None:
    rest = {key: value for key, value in SHARED.items() if key != name}
    settings = Settings.model_validate({"home": tmp_path, **rest})
    told = rf"dagster_k8s.launcher.DistantLauncher starts runs on other hosts.*: set {name} to"
    with pytest.raises(SettingsError, match=told):
        refuse_distant_runs(settings, DistantLauncher())


def test_all_that_a_distant_run_needs_is_named_at_once(tmp_path: Path) -> None:
    told = "set store_url to a PostgreSQL database and lake_url, work_url, state_url, spool_url to s3://…"
    with pytest.raises(SettingsError, match=told):
        refuse_distant_runs(Settings(home=tmp_path), DistantLauncher())


def test_our_own_launcher_and_what_all_hosts_reach_are_fine(tmp_path: Path) -> None:
    refuse_distant_runs(Settings(home=tmp_path), LocalRunLauncher())
    refuse_distant_runs(Settings.model_validate({"home": tmp_path, **SHARED}), DistantLauncher())


@contextmanager
def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformResource]:
    """The resource as a run has it, until the run ends."""
    monkeypatch.chdir(folder)
    Path("iota.yaml").write_text(yaml.safe_dump({"home": str(folder)}))
    with dg.build_resources(resources()) as built:
        yield built.platform


def test_a_run_makes_its_accounts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path, monkeypatch) as resource:
        assert resource.platform.accounts is resource.accounts.accounts


def operations(url: str) -> float:
    database = Database(url)
    with database.read() as connection:
        found = [total.value for total in figures.totals(connection) if total.name == metrics.STORE_OPERATIONS.name]
    database.dispose()
    return sum(found)


def test_what_a_run_asked_of_the_store_is_counted_however_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path, monkeypatch) as resource:
        settings = resource.platform.settings
        for _ in range(3):
            with resource.platform.database.read():
                pass
    assert operations(settings.store_url) >= 3


def test_a_store_that_is_gone_when_a_run_ends_does_not_fail_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path, monkeypatch) as resource:
        resource.platform.database.dispose()
        Path(resource.platform.settings.store_url.removeprefix("sqlite:///")).write_text("not a database" * 500)
    assert "is not counted" in caplog.text
