"""What observing costs: the figures during ingest, and the code of checks and figures at the start of a run.

python -m benchmarks.observability [--events N] [--rounds N] [--starts N]

Each figure is of processes of their own, on one core. The switches are in this file alone: iota has none.

- The figures: `iota ingest` over generated CloudTrail, where every function that computes or writes figures (of a
  batch's events, lake, rules and alerts, of object arrivals, of the store's transactions) has its thread's processor
  time taken. Two whole runs, one with and one without, would say less: from one minute to the next the same run differs
  by ten times what is looked for. Not in it: the clock around each step, and on each 16th call of a rule.
- The start: a cold `iota ingest` of one tiny object until its first asset begins, and the same with empty modules in
  the place of the checks, their jobs and schedules, in turns. Each side's quickest is compared: what others do on the
  machine only ever adds, to processor time too (caches and memory are shared); medians are printed beside it. What the
  figures' modules take to import is measured by loading them once more, and counted as well. A sensor's run is forked
  from a process that has imported all this, and begins faster.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from pathlib import Path
from threading import local
from typing import Any

from benchmarks.cloudtrail import benchmark_objects

MOST_THROUGHPUT, MOST_START = 0.05, 0.2
"""What observing may cost: a share of the throughput, seconds of a run's start-up."""
TINY = 10
"""Records of the object that a start-up is measured with."""


class Side(StrEnum):
    """What a process does without."""

    WHOLE = "whole"
    NO_CHECKS = "no-checks"


@dataclass(frozen=True, slots=True)
class Moment:
    """Seconds since a process began: by the clock, and of processor time, its children's too."""

    clock: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Run:
    """One process: when its first asset began and when it ended, the `records` that it read.

    `figures` are the seconds of processor time that it spent on figures, `loading` those that their modules take to
    import.
    """

    began: Moment
    ended: Moment
    records: int
    figures: float
    loading: float


def main() -> None:
    """Measure both and print them; the exit code is 1 where observing costs more than it may."""
    arguments = _arguments()
    if arguments.side:
        _be(Side(arguments.side), Path(arguments.logs))
        return
    load = os.getloadavg()[0]
    print(f"load before: {load:.1f} on {os.cpu_count()} cores{', shared with others' if load > 1 else ''}")
    with tempfile.TemporaryDirectory(prefix="iota-bench-") as folder:
        root = Path(folder)
        benchmark_objects(root / "logs", arguments.events, seed=1)
        benchmark_objects(root / "tiny", TINY, seed=2)
        share = _throughput([_run(root / f"in{number}", root / "logs") for number in range(arguments.rounds)])
        seconds = _start_up(_alternating(root / "st", root / "tiny", arguments.starts))
    if share > MOST_THROUGHPUT or seconds > MOST_START:
        sys.exit(f"more than {MOST_THROUGHPUT:.0%} of throughput or {MOST_START} s of start-up")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000, help="records to generate")
    parser.add_argument("--rounds", type=int, default=3, help="ingests")
    parser.add_argument("--starts", type=int, default=10, help="start-ups of each side")
    parser.add_argument("--side", choices=list(Side), help=argparse.SUPPRESS)
    parser.add_argument("logs", nargs="?", help=argparse.SUPPRESS)
    return parser.parse_args()


def _alternating(root: Path, logs: Path, rounds: int) -> dict[Side, list[Run]]:
    """So many runs of each side, after one of each that only warms the caches."""
    runs: dict[Side, list[Run]] = {side: [] for side in Side}
    order = [side for number in range(rounds + 1) for side in sorted(runs, reverse=number % 2 == 0)]
    for number, side in enumerate(order):
        run = _run(root / str(number), logs, side)
        if number >= len(runs):
            runs[side].append(run)
    return runs


def _run(home: Path, logs: Path, side: Side = Side.WHOLE) -> Run:
    """A process on the first core with a new home, from its start to its end."""
    environment = {**os.environ, "IOTA_HOME": str(home), "IOTA_RULES": json.dumps(["rules"])}
    command = ["taskset", "-c", "0", sys.executable, "-m", "benchmarks.observability", "--side", side, str(logs)]
    started = time.time()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    with process.stdout as stdout:
        output = stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    ended = Moment(time.time() - started, used.ru_utime + used.ru_stime)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    found = json.loads(output)
    began = Moment(found["at"] - started, found["cpu"])
    return Run(began, ended, found["records"], found["figures"], found["loading"])


def _throughput(runs: Sequence[Run]) -> float:
    """Print what the figures cost of the throughput; the highest share."""
    print(f"\ningest of {runs[0].records:,} records, all rules, one core, from the first asset on")
    shares = []
    for run in runs:
        clock, cpu = run.ended.clock - run.began.clock, run.ended.cpu - run.began.cpu
        shares.append(run.figures / cpu)
        print(f"  {clock:.2f} s, {cpu:.2f} s of CPU ({run.records / cpu:,.0f} events/s),", end=" ")
        print(f"the figures {run.figures:.3f} s = {shares[-1]:.2%}")
    print(f"  figures cost {max(shares):.1%} of the throughput, may be {MOST_THROUGHPUT:.0%}")
    return max(shares)


def _start_up(runs: dict[Side, list[Run]]) -> float:
    """Print what checks and figures cost at a run's start; the seconds by processor time."""
    whole, bare = runs[Side.WHOLE], runs[Side.NO_CHECKS]
    print("\ncold start-up, from the process to the first line of its first asset, one core")
    clock = _compare("seconds", whole, bare, lambda run: run.began.clock, ".3f")
    cpu = _compare("seconds of CPU", whole, bare, lambda run: run.began.cpu, ".3f")
    loading = min(run.loading for run in whole)
    total = cpu[0] - cpu[1] + loading
    print(f"  checks cost {cpu[0] - cpu[1]:.3f} s by CPU ({clock[0] - clock[1]:.3f} s by the clock),", end=" ")
    print(f"the figures' modules {loading:.3f} s: {total:.3f} s, may be {MOST_START} s")
    return total


def _compare(
    name: str, whole: Sequence[Run], bare: Sequence[Run], value: Callable[[Run], float], form: str
) -> tuple[float, float]:
    """Return both sides' least values, and print them with medians and the most."""
    least = []
    for side, runs in (("with", whole), ("without", bare)):
        values = list(map(value, runs))
        least.append(min(values))
        rest = f"median {statistics.median(values):{form}}, at most {max(values):{form}}"
        print(f"  {name:<16} {side:<8} {least[-1]:{form}}  ({rest})")
    return least[0], least[1]


# ── in the process that is measured ──


def _be(side: Side, logs: Path) -> None:
    """Ingest like the command of that name, and print what it found."""
    if side is Side.NO_CHECKS:
        _without_checks()
    spent = _timed_figures()
    from iota_dagster.ingesting import ingest_paths

    first = _first_asset()
    summary = ingest_paths([logs])
    if summary.problems:
        sys.exit("\n".join(summary.problems))
    figures, loading = sum(spent), sum(_loading())
    found = {"records": summary.records, "figures": figures, "loading": loading}
    print(json.dumps(found | {"at": first[0].clock, "cpu": first[0].cpu}))


def _first_asset() -> list[Moment]:
    """Filled when the first asset begins, which asks for a claim at once: the epoch's seconds, and CPU."""
    from iota_dagster.core.batch.road import Road

    moments: list[Moment] = []
    claim = Road.claim

    def noted(*arguments: Any, **named: Any) -> Any:
        moments.append(Moment(time.time(), time.process_time()))
        return claim(*arguments, **named)

    _replace(Road, "claim", noted)
    return moments


def _timed_figures() -> list[float]:
    """Filled with the processor time of each call of what computes or writes figures, those within such calls aside."""
    from iota_dagster.core.batch import batch_figures
    from iota_dagster.core.store import figures

    spent: list[float] = []
    inside = local()

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            if getattr(inside, "now", False):
                return function(*arguments, **named)
            inside.now, began = True, time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                spent.append(time.thread_time() - began)
                inside.now = False

        return call

    for module, names in (
        (batch_figures, ("add_lookups", "add_files", "add_rules", "event_figures", "usable_times")),
        (figures, ("record", "record_alerts", "add", "flush", "arrivals", "since_commit")),
    ):
        for name in names:
            _replace(module, name, timed(getattr(module, name)))
    return spent


def _replace(owner: Any, name: str, function: Callable[..., Any]) -> None:
    """Fails where there is nothing of the name any more, so that a measurement never becomes an empty one."""
    assert callable(getattr(owner, name)), f"{owner.__name__}.{name}"
    setattr(owner, name, function)


def _without_checks() -> None:
    """Put modules with nothing in them in the place of the checks and their jobs, before anything imports them."""
    from types import ModuleType

    import dagster as dg

    @dg.job
    def quality() -> None:
        """A job without steps."""

    schedule = dg.ScheduleDefinition(job=quality, cron_schedule="0 0 * * *")
    empty: dict[str, dict[str, Any]] = {
        "checks": {"CHECKS": []},
        "completeness_job": {"COMPLETENESS_JOBS": [], "COMPLETENESS_SCHEDULES": []},
        "quality_job": {"quality": quality, "QUALITY_SCHEDULE": schedule},
    }
    for name, values in empty.items():
        module = ModuleType(f"iota_dagster.defs.{name}")
        module.__dict__.update(values)
        sys.modules[module.__name__] = module


def _loading() -> Iterator[float]:
    """The seconds that each module of the figures takes to load: once more, now that all it needs is there."""
    from importlib import reload

    from iota_dagster.core.batch import batch_figures
    from iota_dagster.core.observability import figures, metrics
    from iota_dagster.core.store import figures as stored
    from iota_dagster.core.store import operations

    for module in (metrics, figures, batch_figures, stored, operations):
        began = time.perf_counter()
        reload(module)
        yield time.perf_counter() - began


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}")
