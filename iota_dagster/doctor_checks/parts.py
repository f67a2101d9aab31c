"""Our own parts: the store, log types of the user's own, the rules, the destinations."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.overlays import apply, read_overlays
from iota_dagster.core.errors import SettingsError
from iota_dagster.core.sources.built_in import BUILT_IN
from iota_dagster.core.sources.registry import SOURCES
from iota_dagster.core.sources.user_files import read_schemas
from iota_dagster.core.store import migrations
from iota_dagster.core.store.database import Database
from iota_dagster.doctor_checks.finding import Check, Finding, failed, ok, warning
from iota_dagster.doctor_checks.site import Site
from iota_dagster.settings import Settings

_SHOWN = 3
_LOUD = ("MEDIUM", "HIGH", "CRITICAL")


def checks(site: Site) -> list[Check]:
    """The store, log types of the user's own, the rules and the destinations."""
    settings = site.settings
    return [
        Check("store", partial(_store, settings.store_url), lambda error: "start the database or correct store_url"),
        Check("log types", partial(_log_types, settings)),
        Check("rules", partial(_rules, settings)),
        Check("destinations", partial(_destinations, settings)),
    ]


def _store(url: str) -> Iterator[Finding]:
    database = Database(url)
    try:
        with database.begin() as connection:  # a write transaction that writes nothing: it needs the lock
            revision = migrations.revision(connection)
    finally:
        database.dispose()
    newest, shown = migrations.head(), f"{database.dialect}, revision {revision}"
    if revision is None:
        yield ok(f"{database.dialect}, empty: the first command or run makes its tables")
    elif revision > newest:
        yield failed(f"{shown}, this iota knows {newest}", "upgrade iota")
    elif revision < newest:
        yield warning(f"{shown}, this iota brings it to {newest}", "stop what an older iota still runs on it")
    else:
        yield ok(shown)


def _log_types(settings: Settings) -> Iterator[Finding]:
    try:
        schemas = read_schemas(settings.log_types, SOURCES.built_in)
    except SettingsError as error:
        problems = str(error).splitlines()
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        yield failed("; ".join(problems[:_SHOWN]) + more, "correct these files; `iota sources check` shows all of it")
        return
    names = sorted(schema.log_type for schema in schemas)
    yield ok(f"{len(BUILT_IN)} built in; of your own: {', '.join(names) or 'none'}")


def _rules(settings: Settings) -> Iterator[Finding]:
    pack = load_rules(settings.rules)
    if settings.rule_overlays:
        pack = apply(pack, read_overlays(settings.rule_overlays, [item.name for item in settings.destinations]))
    enabled = sum(rule.enabled for rule in pack.rules)
    tests = sum(len(item.tests) for item in pack.tests.values())
    shown = f"{len(pack.rules)} rules, {enabled} of them enabled, with {tests} tests"
    if pack.skipped:
        shown += f"; {len(pack.skipped)} that this version cannot run yet"
    if pack.errors:
        listed = "; ".join(str(error) for error in pack.errors[:_SHOWN])
        more = f"; and {len(pack.errors) - _SHOWN} more" if len(pack.errors) > _SHOWN else ""
        yield failed(f"{shown}; {listed}{more}", "correct these files; `iota rules test` shows all of them")
    elif not enabled:
        yield warning(shown, "set rules to the folders of your rules: nothing is judged")
    else:
        yield ok(shown)


def _destinations(settings: Settings) -> Iterator[Finding]:
    names = [item.name for item in settings.destinations]
    blocked = [item.path for item in settings.destinations if not _appendable(item.path)]
    silent = [severity for severity in _LOUD if not settings.routing.get(severity)]
    if not names:
        yield warning("there is none", "add destinations: alerts stay in the store, and nobody is told")
    elif blocked:
        yield failed(f"{blocked[0]} cannot be written", f"let the user {os.geteuid()} write it, or set another path")
    elif silent:
        yield warning(f"{', '.join(names)}; {', '.join(silent)} go nowhere", "give these severities a routing")
    else:
        yield ok(", ".join(names))


def _appendable(file: Path) -> bool:
    """Whether a file can be appended to, or be made with the folders above it."""
    if file.exists():
        return file.is_file() and os.access(file, os.W_OK)
    above = next(folder for folder in file.parents if folder.exists())
    return above.is_dir() and os.access(above, os.W_OK | os.X_OK)
