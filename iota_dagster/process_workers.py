"""The worker processes of this process: some that parse, some that run rules; shared by all of its runs."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from functools import cache
from pathlib import Path

from iota_dagster.core.detection.overlays import apply, read_overlays
from iota_dagster.core.detection.pack_cache import read_rules
from iota_dagster.core.detection.processes.rule_workers import RuleLimits, RuleWorkers
from iota_dagster.core.detection.rule import RulePack
from iota_dagster.core.workers import WorkerPool, usable_cores
from iota_dagster.settings import Settings

_POOLS: dict[int, WorkerPool] = {}
_RULES: dict[str, RuleWorkers] = {}


def close_workers() -> None:
    """Stop this process's workers; the next run that needs some starts them anew."""
    while _POOLS:
        _POOLS.popitem()[1].close()
    while _RULES:
        _RULES.popitem()[1].close()


atexit.register(close_workers)


def shared_pool(processes: int) -> WorkerPool:
    """One pool per process: a second run in the same process finds its workers warm."""
    if processes not in _POOLS:
        close_workers()
        _POOLS[processes] = WorkerPool(processes)
    return _POOLS[processes]


def rule_pack(settings: Settings) -> RulePack:
    """The rules as they run, without their tests: what is in the folders, and the user's overlays over it."""
    pack = read_rules(settings.rules, settings.scratch / "rules")
    if settings.rule_overlays is None:
        return pack
    return apply(pack, read_overlays(settings.rule_overlays, [item.name for item in settings.destinations]))


def rules_of_a_run(settings: Settings) -> Callable[[], RuleWorkers]:
    """The rule workers, with the rules as they are at the first call: a platform is opened for each run anew."""

    @cache
    def pack() -> RulePack:
        return rule_pack(settings)

    return lambda: _shared_rule_workers(settings, pack())


def _shared_rule_workers(settings: Settings, pack: RulePack) -> RuleWorkers:
    """The workers of this process for a pack; new ones once it has changed, what cannot be read of it, or a table.

    The same pack in another folder is another one: a worker reads the files when it is started.
    """
    limits = RuleLimits(settings.rule_seconds, int(settings.rule_memory))
    tables = [Path(table.file).stat().st_mtime_ns for table in pack.surroundings.tables if Path(table.file).exists()]
    folders, errors = [*map(str, settings.rules)], [*map(str, pack.errors)]
    key = f"{pack.version} {folders} {errors} {limits} {tables}"
    if key not in _RULES:
        while _RULES:
            _RULES.popitem()[1].close()
        processes = max(1, settings.process_workers or default_workers())
        _RULES[key] = RuleWorkers(pack, processes, limits, settings.scratch / "rules" / "codes")
    return _RULES[key]


def default_workers() -> int:
    """One per core that a container or `taskset` leaves to this process; none for a single one.

    There a second process would cost its start-up and win nothing: an object that kills is found by splitting batches.
    """
    cores = usable_cores()
    return cores if cores > 1 else 0
