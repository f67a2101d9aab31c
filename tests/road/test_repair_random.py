"""Any order of work, a backup in the midst of it, and a return to it: each event once, as without the return."""

from __future__ import annotations

import random
from collections import Counter
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from iota_dagster.core.batch.road import Branch
from iota_dagster.core.hours import Hour
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.lake.compaction import compact
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.sources import source_of
from iota_dagster.core.store.schema import log_objects
from iota_dagster.platform import Platform
from tests.road.parsers import DROPPED, MOVED, parser
from tests.road.restoring import back_up, delete_retired, go_back, repaired
from tests.road.state import alert_lines, check_events, lake_rows
from tests.road.stores import Stores
from tests.road.world import ELEVEN, LOG_TYPE, NINE, TEN, UNKNOWN, World, drive, record, run_once, sign_in

HOURS = (NINE, TEN, ELEVEN)
TABLES = (source_of(LOG_TYPE).table, alert_matches.TABLE)
STEPS = 9


@dataclass
class Story:
    """Random work in a world; two that were begun alike do the same."""

    world: World
    platform: Platform
    random: random.Random
    parsers: bool
    delivered: dict[str, Hour] = field(default_factory=dict)
    gone: dict[str, bytes] = field(default_factory=dict)
    version: int = 1
    runs: int = 0

    def go_on(self, steps: int) -> None:
        """Some steps."""
        for _ in range(steps):
            self._step()

    def pass_time(self) -> None:
        """Days, in which work may end, and things go for good."""
        if self.random.random() < 0.6:
            with parser(self.version):
                self.drive()
                self.redo()
        for _ in range(self.random.randint(0, 4)):
            self.lose()
        if self.random.random() < 0.6:
            self.forget()

    def _step(self) -> None:
        steps = [self.deliver] * 4 + [self.begin] * 3 + [self.drive] * 2
        steps += [self.redo, self.redo, self.compact, self.lose, self.lose, self.forget, self.change]
        step = self.random.choice(steps)
        with parser(self.version):
            step()

    def deliver(self) -> None:
        """One or two log objects, which share events with others."""
        hour = self.random.choice(HOURS)
        for _ in range(self.random.randint(1, 2)):
            key = f"{len(self.delivered):02}-{self.random.randint(0, 9)}"
            self.world.put(key, [self._record() for _ in range(self.random.randint(1, 5))])
            self.world.register(self.platform, [key], hour)
            self.delivered[key] = hour

    def _record(self) -> dict[str, Any]:
        number = self.random.randint(0, 19)
        hour = self.random.choice((NINE, TEN))
        agents = (DROPPED, MOVED, "cli") if self.parsers else ("cli",)
        if number == 19:
            return UNKNOWN
        if number < 3 and self.parsers:  # nothing of hour eleven is left by parser two
            return record(f"x{number}", ELEVEN, userAgent=(DROPPED, MOVED)[number % 2])
        if number % 5 == 0:
            return sign_in(f"s{number}", f"198.51.100.{number % 3}", hour)
        return record(f"e{number}", hour, userAgent=agents[number % len(agents)])

    def begin(self, stop: int | None = None) -> None:
        """A run that ends somewhere on its way: 0 is after its claim."""
        road, run = self.platform.road, self.platform.road.run_identity(self._root())
        hours = [self.random.choice(HOURS)]
        again = self.random.random() < 0.3
        stop = self.random.randint(0, 3) if stop is None else stop
        assignments = road.claim(run, hours, again=again)
        for assignment in assignments if stop else ():
            road.prepare(run, assignment)
        branches = {2: (Branch.LAKE,), 3: (Branch.ALERTS,)}.get(stop, ())
        for branch in branches:
            for batch in road.to_publish(run, hours, branch):
                _ = road.publish(batch) if branch is Branch.LAKE else road.judge(batch)

    def drive(self) -> None:
        """Bring everything to its end."""
        drive(self.platform, self._root())

    def redo(self) -> None:
        """Do an hour again."""
        run_once(self.platform.road, self._root(), [self.random.choice(HOURS)], again=True)

    def compact(self) -> None:
        """Join the files of an hour."""
        table = self.random.choice(TABLES)
        compact(self.platform.road.lake, table, self.random.choice((NINE, TEN)), lake_tables()[table])

    def lose(self) -> None:
        """A log object that was done goes for good."""
        c = log_objects.c
        which = self.random.random()  # drawn in any case: what is done differs between the two
        query = sa.select(c.key).where(c.status == "done", c.etag.not_like("rebuilt-%")).order_by(c.key)
        with self.platform.database.read() as connection:
            here = [key for key in connection.execute(query).scalars() if key not in self.gone]
        if here:
            path = self.world.inbox / here[int(which * len(here))]
            self.gone[path.name] = path.read_bytes()
            path.unlink()

    def forget(self) -> None:
        """What housekeeping does."""
        delete_retired(self.platform)

    def change(self) -> None:
        """Another parser."""
        if self.parsers:
            self.version = 3 - self.version

    def finish(self) -> None:
        """What is there is looked for, and everything is done."""
        for key, hour in self.delivered.items():
            if key not in self.gone:
                self.world.register(self.platform, [key], hour)
        with parser(self.version):
            drive(self.platform, self._root())

    def _root(self) -> str:
        self.runs += 1
        return f"run-{self.runs}"


def events(platform: Platform) -> Counter[tuple[Hour, str]]:
    found = (item for item in lake_rows(platform) if item[0] != alert_matches.TABLE)
    return Counter((hour, row["p_event_id"]) for _, hour, row in found)


def match_ids(platform: Platform) -> set[str]:
    return {row["match_id"] for table, _, row in lake_rows(platform) if table == alert_matches.TABLE}


def told(platform: Platform) -> set[str]:
    return {line["alert_id"] for line in alert_lines(platform)}


def lived(stores: Stores, folder: Path, seed: int, parsers: bool) -> None:
    """Live a story to its end; then once more from the middle, having gone back to a backup."""
    world, chance = stores.new(), random.Random(seed)
    saved, left = sorted(chance.sample(range(1, STEPS + 1), 2))
    with world.opened() as platform:
        story = Story(world, platform, chance, parsers)
        story.go_on(saved)
        if chance.random() < 0.5:
            story.deliver()
            story.begin(0)
        file = back_up(world, folder / "backup")
        story.go_on(left - saved)
        story.pass_time()
    other = stores.copy(world)
    again = replace(story, world=other, random=copy(chance), delivered=dict(story.delivered), gone=dict(story.gone))
    with world.opened() as story.platform:
        ended(story, STEPS - left)
        for key in story.gone.keys() - again.gone.keys():
            world.put(key, story.gone[key])
        with other.opened() as platform:
            go_back(other, platform, file)
        with other.opened() as again.platform:
            repaired(again.platform)
            ended(again, STEPS - left)
            compare(story, again)


def ended(story: Story, steps: int) -> None:
    story.go_on(steps)
    story.finish()
    check_events(story.platform)


def compare(plain: Story, back: Story) -> None:
    assert back.delivered == plain.delivered
    if not plain.parsers:
        assert events(back.platform) == events(plain.platform)
        assert match_ids(back.platform) <= match_ids(plain.platform)
        assert told(back.platform) <= told(plain.platform)


@pytest.mark.parametrize(("seed", "parsers"), [(6, False), (14, False), (11, True)])
def test_it_ends_as_without_the_return(stores: Stores, tmp_path: Path, seed: int, parsers: bool) -> None:
    lived(stores, tmp_path, seed, parsers)
