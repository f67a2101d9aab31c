"""An outage makes the ops wait and try again, as it does the assets: the night's housekeeping has no other run."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml

from iota_dagster.core.errors import Outage
from iota_dagster.defs.follow_up import correlate_and_deliver
from iota_dagster.defs.maintenance import forget_old_runs, remove_what_is_due
from iota_dagster.defs.query_schedule import run_due_queries
from iota_dagster.defs.resources import resources
from iota_dagster.defs.resources.platform import PlatformResource


class StoreGone(PlatformResource):
    """The platform of a run whose store nobody can open any more once the run has begun."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        super().setup_for_execution(context)
        self.platform.database.dispose()
        take_away(self.platform.settings.home / "iota.db")


def take_away(file: Path) -> None:
    """SQLite cannot open a folder, as it cannot open a file whose disk is away."""
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()
    file.mkdir()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rules").mkdir()
    settings = {"home": str(tmp_path / "home"), "rules": [str(tmp_path / "rules")]}
    (tmp_path / "iota.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("IOTA_CONFIG", str(tmp_path / "iota.yaml"))


@pytest.mark.parametrize("op", [remove_what_is_due, correlate_and_deliver, run_due_queries], ids=lambda op: op.name)
def test_an_op_waits_until_the_store_answers(op: dg.OpDefinition) -> None:
    whole: PlatformResource = resources()["platform"]
    gone = StoreGone(seen_events=whole.seen_events, accounts=whole.accounts)
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_op_context(instance=instance, resources={"platform": gone}) as context,
        pytest.raises(dg.RetryRequested) as raised,
    ):
        op(context)
    assert isinstance(raised.value.__cause__, Outage)
    assert raised.value.max_retries == 5


def test_runs_are_forgotten_once_dagsters_storage_answers(tmp_path: Path) -> None:
    folder = tmp_path / "dagster"
    folder.mkdir()
    with (
        dg.DagsterInstance.local_temp(str(folder)) as instance,
        dg.build_op_context(instance=instance, resources={"platform": resources()["platform"]}) as context,
    ):
        forget_old_runs(context)
        take_away(folder / "history" / "runs.db")
        with pytest.raises(dg.RetryRequested) as raised:
            forget_old_runs(context)
    assert "Dagster's storage did not answer" in str(raised.value.__cause__)
