"""Where runs may be started, given where the store is."""

from __future__ import annotations

from pathlib import Path

import pytest

from iota_dagster.core.errors import SettingsError
from iota_dagster.defs.resources.platform import refuse_distant_runs
from iota_dagster.launcher import LocalRunLauncher
from iota_dagster.settings import Settings


class DistantLauncher:
    __module__ = "dagster_k8s.launcher"


def test_a_store_in_a_file_refuses_runs_on_other_hosts(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"dagster_k8s.launcher.DistantLauncher starts runs on other hosts.*PostgreSQL"
    ):
        refuse_distant_runs(Settings(home=tmp_path), DistantLauncher())


def test_our_own_launcher_and_a_database_server_are_fine(tmp_path: Path) -> None:
    refuse_distant_runs(Settings(home=tmp_path), LocalRunLauncher())
    refuse_distant_runs(Settings(home=tmp_path, store_url="postgresql://iota@localhost/iota"), DistantLauncher())
