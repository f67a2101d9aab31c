"""How fast rules are: judging events, getting ready, running their tests.

python -m benchmarks.rules [--events N] [--rules FOLDER]
python -m benchmarks.rules --checkout FOLDER
python -m benchmarks.rules --logs FOLDER --truth FILE --techniques FOLDER

Events are the demo's CloudTrail. Matches are complete: title, dedup string, severity, context and all else. Give the
process one core (`taskset -c 0`) to compare figures; the parent's share is included, start-up is shown both ways.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from iota_dagster.core.detection.engine import Engine
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.pack_cache import read_rules
from iota_dagster.core.detection.processes.rule_workers import RuleWorkers, Task
from iota_dagster.core.detection.routing.values import Values
from iota_dagster.core.detection.rule import Rule, RulePack
from iota_dagster.core.detection.verdict import RuleMatch
from iota_dagster.core.garbage import collect_rarely
from iota_dagster.demo.cloudtrail import generate

IOTA = str(Path(sys.executable).with_name("iota"))
LOG_TYPE = "AWS.CloudTrail"
AT_ONCE = 2_000
UNROUTED_EVENTS = 5_000
TIMES = 10
ROUNDS = 3
UNTIL = datetime(2026, 11, 22, 18, tzinfo=UTC)


def main() -> None:
    """Run the benchmarks that were asked for and print their figures."""
    collect_rarely()  # as iota's own processes do
    arguments = _arguments()
    if arguments.logs:
        _print_coverage(arguments.rules, arguments.logs, arguments.truth, arguments.techniques)
        return
    if arguments.checkout:
        _print_tests(arguments.checkout)
        return
    pack = of_log_type(load_rules([arguments.rules]))
    records = events(arguments.events)
    _print_ready(arguments.rules)
    _print_routed(pack, records)
    _print_unrouted(pack, records[:UNROUTED_EVENTS])
    _print_times(pack, records)
    _print_tests(arguments.rules)
    _print_tests(Path(pack.rules[0].file))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000, help="CloudTrail events to generate")
    parser.add_argument("--rules", type=Path, default=Path("rules"), help="the folder of rules")
    parser.add_argument("--checkout", type=Path, help="only the tests of this folder of public rules")
    parser.add_argument("--logs", type=Path, help="only coverage, of attacks in these CloudTrail files")
    parser.add_argument("--truth", type=Path, help="which calls in --logs are attacks")
    parser.add_argument("--techniques", type=Path, help="a folder with a file per technique")
    return parser.parse_args()


@dataclass(frozen=True, slots=True)
class Judged:
    """Some events judged: seconds until a worker was ready, seconds after that, and the matches."""

    ready: float
    seconds: float
    matches: list[RuleMatch]
    failures: int


def events(count: int) -> list[bytes]:
    """The demo's records as rules get them: with the envelope, the attack among them."""
    found: dict[str, bytes] = {}
    for file in generate(until=UNTIL, hours=24, events=count).files:
        for record in json.loads(gzip.decompress(file.body))["Records"]:
            head = {"p_log_type": LOG_TYPE, "p_event_id": record["eventID"], "p_event_time": record["eventTime"]}
            found.setdefault(record["eventID"], msgspec.json.encode(head | record))
    return list(found.values())[:count]


def of_log_type(pack: RulePack) -> RulePack:
    """The enabled rules of a pack that look at CloudTrail."""
    return replace(pack, rules=tuple(rule for rule in pack.rules if rule.enabled and LOG_TYPE in rule.log_types))


def copies(pack: RulePack, times: int, *, silent: bool = False) -> RulePack:
    """A pack and copies of it under other ids; those that are `silent` ask for texts that no event has."""
    rules = [_copy(rule, number, silent) for number in range(times) for rule in pack.rules]
    return replace(pack, rules=tuple(rules))


def _copy(rule: Rule, number: int, silent: bool) -> Rule:
    if not number:
        return rule
    need = rule.need
    if silent:
        need = {name: _renamed(values, number) for name, values in need.items()}
    return msgspec.structs.replace(rule, id=f"{rule.id}.{number}", need=need)


def _renamed(values: Values, number: int) -> Values:
    exact, prefixes, parts = (
        frozenset(f"{text}{number}" for text in texts) for texts in (values.exact, values.prefixes, values.parts)
    )
    return Values(exact, prefixes, parts, absent=False)


@contextmanager
def _workers(pack: RulePack) -> Iterator[RuleWorkers]:
    workers = RuleWorkers(pack, processes=1)
    try:
        yield workers
    finally:
        workers.close()


def judge(pack: RulePack, records: Sequence[bytes]) -> Judged:
    """All records through one rule worker."""
    with _workers(pack) as workers:
        started = time.perf_counter()
        for _ in workers.evaluate([Task(LOG_TYPE, [])]):
            ready = time.perf_counter() - started
        started = time.perf_counter()
        matches, failures = [], len(workers.broken)
        for verdict in workers.evaluate(Task(LOG_TYPE, list(part)) for part in parts(records)):
            matches += verdict.matches
            failures += len(verdict.failures)
        return Judged(ready, time.perf_counter() - started, matches, failures)


def judge_unrouted(pack: RulePack, records: Sequence[bytes]) -> Judged:
    """The same in this process, every record shown to every rule."""
    started = time.perf_counter()
    engine = Engine(pack.rules, routed=False)
    ready, started = time.perf_counter() - started, time.perf_counter()
    matches, failures = [], len(engine.broken)
    for part in parts(records):
        verdict = engine.evaluate(LOG_TYPE, part)
        matches += verdict.matches
        failures += len(verdict.failures)
    return Judged(ready, time.perf_counter() - started, matches, failures)


def parts(records: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The records as they are sent to a worker."""
    for start in range(0, len(records), AT_ONCE):
        yield records[start : start + AT_ONCE]


def as_json(matches: Sequence[RuleMatch]) -> list[bytes]:
    """Matches to be compared, whatever process they came from."""
    return sorted(msgspec.json.encode(match, order="deterministic") for match in matches)


def _print_ready(folder: Path) -> None:
    """From files to a worker that can judge: the first time, and with the pack kept from the last."""
    with tempfile.TemporaryDirectory(prefix="iota-bench-") as cache:
        for name in ("read and compiled", "kept"):
            started = time.perf_counter()
            pack = of_log_type(read_rules([folder], Path(cache)))
            read = time.perf_counter() - started
            ready = judge(pack, []).ready
            print(f"ready with {len(pack.rules)} rules, {name}: {read + ready:.3f} s ", end="")
            print(f"(rules {read:.3f} s, worker {ready:.3f} s)")


def _print_routed(pack: RulePack, records: Sequence[bytes]) -> None:
    done = judge(pack, records)
    whole = done.ready + done.seconds
    print(f"routed, one worker, {len(pack.rules)} rules: {len(records):,} events in {whole:.2f} s = ", end="")
    print(f"{len(records) / whole:,.0f} events/s ({len(records) / done.seconds:,.0f} once ready); ", end="")
    print(f"{len(done.matches):,} matches, {done.failures} failures")


def _print_times(pack: RulePack, records: Sequence[bytes]) -> None:
    """What many times the rules cost: in turns, and each by its quickest run, which others disturbed least."""
    packs = {
        "all for the same calls": copies(pack, TIMES),
        "the copies for calls that do not occur": copies(pack, TIMES, silent=True),
    }
    rounds = [[judge(item, records).seconds for item in (pack, *packs.values())] for _ in range(ROUNDS)]
    once, *many = map(min, zip(*rounds, strict=True))
    for what, seconds in zip(packs, many, strict=True):
        print(f"{TIMES} times the rules ({TIMES * len(pack.rules)}), {what}: ", end="")
        print(f"{len(records) / seconds:,.0f} events/s, {seconds / once:.2f} times the time")


def _print_unrouted(pack: RulePack, records: Sequence[bytes]) -> None:
    routed, unrouted = judge(pack, records), judge_unrouted(pack, records)
    same = "identical" if as_json(routed.matches) == as_json(unrouted.matches) else "DIFFERENT"
    print(f"unrouted: {len(records):,} events = {len(records) / unrouted.seconds:,.0f} events/s; ", end="")
    print(f"its {len(unrouted.matches):,} matches are {same}")


def _print_tests(path: Path) -> None:
    """`iota rules test` as a user runs it."""
    started = time.perf_counter()
    run = subprocess.run([IOTA, "rules", "test", str(path), "--json"], capture_output=True, text=True, check=False)
    wall = time.perf_counter() - started
    if run.returncode > 1 or not run.stdout:
        sys.exit(run.stderr)
    found = json.loads(run.stdout)
    counts = ", ".join(f"{found[name]:,} {name}" for name in ("passed", "failed", "skipped"))
    print(f"iota rules test {path.name}: {found['rules']:,} rules, {found['tests']:,} tests: {counts} in {wall:.2f} s")


def _print_coverage(folder: Path, logs: Path, truth: Path | None, techniques: Path | None) -> None:
    from iota_dagster.core.detection.authoring.coverage import measure, read_truth

    report = measure(load_rules([folder]), logs, read_truth(truth) if truth else (), techniques)
    print(f"{report.detected} of {report.detonated} attacks detected; {len(report.alerts)} alerts, ", end="")
    print(f"{len(report.outside)} beside the attacks; {sum(report.signals.values())} signals, ", end="")
    print(f"{len(report.failures)} failures; {report.events:,} events in {report.seconds:.2f} s")


if __name__ == "__main__":
    main()
