"""The road's speed and memory: `iota ingest` over generated CloudTrail, as a user would run it, start-up included.

With all rules of the project, and once with five of them.

python -m benchmarks.road [--events N] [--big-object] [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.cloudtrail import benchmark_objects
from benchmarks.measure import Measured, measure

IOTA = str(Path(sys.executable).with_name("iota"))

FIVE_RULES = (
    "administrator_rights_granted",
    "console_sign_in_without_mfa",
    "credentials_for_another_user",
    "logging_impaired",
    "secrets_read_in_bulk",
)
BIG_RECORDS = 830_000
"""About 1 GB of records in one object."""


def main() -> None:
    """Run the benchmarks that were asked for and print their figures."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="iota-bench-") as folder:
        root, five = Path(folder), [f"rules/aws_cloudtrail/{name}.yml" for name in FIVE_RULES]
        if not arguments.big_object:
            logs = root / "logs"
            benchmark_objects(logs, arguments.events, per_object=8000, duplicates=0.05, seed=1)
            _report("one core, five rules", _ingest(root / "five", logs, ["taskset", "-c", "0"], five), root / "five")
            _report("one core", _ingest(root / "one", logs, ["taskset", "-c", "0"]), root / "one")
            _report(f"all cores ({os.cpu_count()})", _ingest(root / "all", logs, []), root / "all")
        if arguments.big_object or not arguments.quick:
            big = root / "big"
            benchmark_objects(big, BIG_RECORDS, per_object=BIG_RECORDS, duplicates=0, seed=2)
            _report("one object of 1 GB, five rules", _ingest(root / "big-five", big, [], five), root / "big-five")
            _report("one object of 1 GB", _ingest(root / "big-all", big, []), root / "big-all")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000, help="records to generate")
    parser.add_argument("--big-object", action="store_true", help="only the object of 1 GB")
    parser.add_argument("--quick", action="store_true", help="without the object of 1 GB")
    return parser.parse_args()


def _ingest(home: Path, logs: Path, pinned: Sequence[str], rules: Sequence[str] = ("rules",)) -> Measured:
    environment = {**os.environ, "IOTA_HOME": str(home), "IOTA_RULES": json.dumps(list(rules))}
    return measure([*pinned, IOTA, "ingest", str(logs), "--json"], environment)


def _report(name: str, run: Measured, home: Path) -> None:
    records = run.output["records"]
    print(f"\n{name}: {records:,} records in {run.wall:.1f} s = {records / run.wall:,.0f} events/s,", end=" ")
    print(f"peak PSS over the process tree {run.peak_pss / 1e6:,.0f} MB")
    print("  " + ", ".join(f"{key} {value}" for key, value in run.output.items()))
    total = 0.0
    for step, seconds in _steps(home):
        total += seconds
        print(f"  {step:<18} {seconds:6.2f} s  {seconds / records * 1e6:6.2f} µs an event")
    rest = run.wall - total
    print(f"  {'start-up and rest':<18} {rest:6.2f} s  {rest / records * 1e6:6.2f} µs an event")


def _steps(home: Path) -> Iterator[tuple[str, float]]:
    """Seconds by asset over all runs of a home, from Dagster's own record."""
    import dagster as dg

    seconds: dict[str, float] = {}
    with _quiet(), dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        for run in instance.get_runs():
            for step in instance.get_run_step_stats(run.run_id):
                if step.start_time and step.end_time:
                    seconds[step.step_key] = seconds.get(step.step_key, 0.0) + step.end_time - step.start_time
    yield from seconds.items()


@contextmanager
def _quiet() -> Iterator[None]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}")
