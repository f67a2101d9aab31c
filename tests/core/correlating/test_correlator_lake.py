"""Correlation rules whose matches go into the lake: what it does not take waits, and holds up nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from iota_dagster.core.correlating.correlator import Correlator
from iota_dagster.core.detection.correlation.rule import CorrelationRule
from iota_dagster.core.errors import LakeFileDamaged, Outage
from iota_dagster.core.hours import hour_of
from iota_dagster.core.lake.alert_matches import TABLE
from iota_dagster.core.lake.match_files import match_files
from iota_dagster.core.lake.publication import Lake
from iota_dagster.core.local_storage import LocalStorage
from iota_dagster.core.model import Match
from iota_dagster.core.store import correlations
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import announced_generations
from tests.core.alerting.cases import at
from tests.core.correlating.cases import TAKEOVER, a_member, everywhere, record
from tests.core.detection.correlation.cases import HEAD, a_rule

TEN = hour_of(at(0))
NIGHT = at(12 * 60)


class Refusing(LocalStorage):
    """A folder in which files of ten o'clock cannot be copied, as those that were archived; or that lets others in."""

    refuses: Exception | None = None
    neighbour: tuple[Database, str] | None = None

    def copy(self, source: str, target: str) -> None:
        if self.refuses and "hour=10" in source:
            raise self.refuses
        super().copy(source, target)

    def upload(self, path: str, source: Path) -> None:
        super().upload(path, source)
        if self.neighbour:
            (store, user), self.neighbour = self.neighbour, None
            record(store, user, *attack(user, 20))


@pytest.fixture
def lake(tmp_path: Path, store: Database) -> Lake:
    """A lake in which a batch has a match of ten o'clock."""
    (tmp_path / "scratch").mkdir()
    lake = Lake(store, Refusing(tmp_path / "lake"), tmp_path / "scratch")
    lake.publish("b0", match_files([a_member("Other", 0)], "b0", tmp_path), (TABLE,), lambda _: True)
    return lake


def storage_of(lake: Lake) -> Refusing:
    assert isinstance(lake.storage, Refusing)
    return lake.storage


def attack(user: str, minutes: int) -> list[Match]:
    failed = [a_member("Login.Failed", minutes + step, user) for step in (0, 1)]
    return [*failed, a_member("Login", minutes + 2, user)]


def a_correlator(lake: Lake, *rules: CorrelationRule) -> Correlator:
    chosen = rules or (a_rule(TAKEOVER),)
    return Correlator(lake.database, chosen, everywhere, timedelta(hours=24), clock=lambda: NIGHT, lake=lake)


def told(lake: Lake) -> list[str]:
    with lake.database.read() as connection:
        return sorted(alert.title for alert in list_alerts(connection) if alert.status == "open")


def left(lake: Lake) -> int:
    with lake.database.read() as connection:
        return len(correlations.touched(connection))


def test_an_hour_that_the_lake_does_not_take_holds_up_no_other_hour_and_no_other_rule(lake: Lake) -> None:
    record(lake.database, "b1", *attack("alice", 0))
    record(lake.database, "b2", *attack("bob", 120))
    other = a_rule(TAKEOVER, HEAD.replace("Takeover", "Other").replace("Account taken over", "Other"))
    storage_of(lake).refuses = Outage("the lake did not answer")
    done = a_correlator(lake, a_rule(TAKEOVER), other).correlate()
    assert done.failures == dict.fromkeys(["Other", "Takeover"], "the lake did not answer")
    assert done.outages.keys() == done.failures.keys()
    assert told(lake) == ["Account taken over: bob", "Other: bob"]  # an outage is nobody's fault: no rule "fails"
    assert done.changed == {(TABLE, TEN + 2)}
    assert left(lake) > 0
    storage_of(lake).refuses = None
    done = a_correlator(lake, a_rule(TAKEOVER), other).correlate()
    assert (done.failures, done.changed, left(lake)) == ({}, {(TABLE, TEN)}, 0)
    assert told(lake) == [f"{name}: {user}" for name in ("Account taken over", "Other") for user in ("alice", "bob")]


def test_a_damaged_hour_is_its_rules_failure_and_holds_up_no_other_hour(lake: Lake) -> None:
    record(lake.database, "b1", *attack("alice", 0))
    record(lake.database, "b2", *attack("bob", 120))
    storage_of(lake).refuses = LakeFileDamaged("a.parquet", "damaged")
    done = a_correlator(lake).correlate()
    assert (list(done.failures), done.outages) == (["Takeover"], {})
    title = "Rule Takeover fails: LakeFileDamaged: a.parquet is damaged"
    assert told(lake)[0] == "Account taken over: bob"
    assert told(lake)[1].startswith(title)


def test_while_the_lake_does_not_answer_no_failure_is_told_and_none_withdrawn(lake: Lake) -> None:
    record(lake.database, "b1", *attack("alice", 0))
    works = a_rule(TAKEOVER)
    assert list(a_correlator(lake, replace(works, joins=())).correlate().failures) == ["Takeover"]
    failure = told(lake)
    storage_of(lake).refuses = Outage("the lake did not answer")
    assert a_correlator(lake, works).correlate().outages.keys() == {"Takeover"}
    assert told(lake) == failure
    storage_of(lake).refuses = None
    a_correlator(lake, works).correlate()
    assert told(lake) == ["Account taken over: alice"]


def test_whoever_is_beaten_throws_his_copy_of_the_hour_away(lake: Lake) -> None:
    record(lake.database, "b1", *attack("alice", 0))
    storage_of(lake).neighbour = lake.database, "bob"
    done = a_correlator(lake).correlate()
    assert (done.failures, told(lake)) == ({}, ["Account taken over: alice", "Account taken over: bob"])
    folders = {path.path.split("/")[-2] for path in lake.storage.list(TABLE)}
    assert folders == {"g=0", "g=2"}
    with lake.database.read() as connection:
        assert connection.execute(sa.select(announced_generations)).all() == []
