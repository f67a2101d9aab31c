"""Our own parts: the store, log types of the user's own, the rules, the destinations."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.overlays import apply, read_overlays
from iota_dagster.core.errors import SettingsError
from iota_dagster.core.lake.alert_matches import TABLE as MATCHES
from iota_dagster.core.lake.expiry import OTHERS
from iota_dagster.core.sources.built_in import BUILT_IN
from iota_dagster.core.sources.registry import SOURCES
from iota_dagster.core.sources.user_files import read_schemas
from iota_dagster.core.store import migrations
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.presence import missing_file
from iota_dagster.doctor_checks.finding import Check, Finding, failed, ok, warning
from iota_dagster.doctor_checks.site import Site
from iota_dagster.settings import Settings

if TYPE_CHECKING:
    import sqlalchemy as sa

_STORE_ADVICE = "start the database or correct store_url"
_SHOWN = 3
_LOUD = ("MEDIUM", "HIGH", "CRITICAL")


def checks(site: Site) -> list[Check]:
    """The store, log types of the user's own, the rules and the destinations."""
    settings = site.settings
    return [
        _check_of_store(partial(_store, settings.store_url)),
        Check("log types", partial(_log_types, settings)),
        Check("rules", partial(_rules, settings)),
        Check("destinations", partial(_destinations, settings)),
    ]


def readable_store(settings: Settings) -> Check:
    """The store as far as reading tells: nothing is made, and no lock that runs may hold is waited for."""
    return _check_of_store(partial(_readable, settings.store_url))


def _check_of_store(run: Callable[[], Iterator[Finding]]) -> Check:
    return Check("store", run, lambda error: _STORE_ADVICE)


def _store(url: str) -> Iterator[Finding]:
    yield _asked(url, Database.begin)  # a write transaction that writes nothing: it needs the lock


def _readable(url: str) -> Iterator[Finding]:
    if (missing := missing_file(url)) is None:
        yield _asked(url, Database.read)
    else:
        yield _judged("sqlite", None) if _appendable(missing) else failed(f"{missing} cannot be made", _STORE_ADVICE)


def _asked(url: str, transaction: Callable[[Database], AbstractContextManager[sa.Connection]]) -> Finding:
    database = Database(url)
    try:
        with transaction(database) as connection:
            revision = migrations.revision(connection)
    finally:
        database.dispose()
    return _judged(database.dialect, revision)


def _judged(dialect: str, revision: str | None) -> Finding:
    newest, shown = migrations.head(), f"{dialect}, revision {revision}"
    if revision is None:
        return ok(f"{dialect}, empty: the first command or run makes its tables")
    if revision > newest:
        return failed(f"{shown}, this iota knows {newest}", "upgrade iota")
    if revision < newest:
        return warning(f"{shown}, this iota brings it to {newest}", "stop what an older iota still runs on it")
    return ok(shown)


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
    yield from _unknown_types(settings, {*(source.log_type for source in BUILT_IN), *names})
    tables = {*(source.table for source in BUILT_IN), *(schema.table_name for schema in schemas), MATCHES}
    yield from _unknown_tables(settings, tables)


def _unknown_types(settings: Settings, known: Collection[str]) -> Iterator[Finding]:
    for item in settings.integrations:
        for name in sorted(set(item.log_types) - set(known)):
            yield failed(
                f"integration {item.name} expects {name}, which is no log type{_meant(name, known)}",
                "correct its log_types (`iota sources list`): of its records, only those of known types are taken",
            )


def _unknown_tables(settings: Settings, known: Collection[str]) -> Iterator[Finding]:
    for name in sorted(set(settings.lake_days) - {*known, OTHERS}):
        yield failed(
            f"lake_days has {name}, which is no table{_meant(name, known)}", "correct it: until then housekeeping fails"
        )


def _meant(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


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
    blocked = [item.file for item in settings.destinations if item.file and not _appendable(item.file)]
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
