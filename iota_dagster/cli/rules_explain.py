"""`iota rules explain`: which events a rule is shown and why, what it is made of, and what changes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iota_dagster.cli.rules_paths import Paths, chosen, paths_argument

if TYPE_CHECKING:
    from iota_dagster.core.detection.authoring.explain import Explanation, FieldNeed

_SHOWN = 12
"""Values that a line names; the JSON has them all."""


@click.command("explain")
@click.argument("rule_id", metavar="RULE")
@paths_argument
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def command(rule_id: str, paths: Paths, as_json: bool) -> None:
    """Explain a rule of ./rules, else of the settings, or of PATH, without running it.

    It is shown only those events that can match by what its code says of top-level fields; here is what was understood
    of it. The overlays of the settings are laid over it.
    """
    from iota_dagster.core.detection.authoring.explain import explain
    from iota_dagster.core.detection.loader import load_rules
    from iota_dagster.core.detection.overlays import read_overlays
    from iota_dagster.core.sources import SOURCES
    from iota_dagster.log_types import own_log_types
    from iota_dagster.settings import load_settings

    settings = load_settings()
    own_log_types(settings)
    names = [item.name for item in settings.destinations]
    overlays = read_overlays(settings.rule_overlays, names) if settings.rule_overlays else None
    pack = load_rules(chosen(paths))
    for error in (*pack.errors, *(overlays.errors if overlays else ())):
        click.echo(f"CANNOT LOAD {error}", err=True)
    found = explain(pack, rule_id, {log_type: list(source.texts) for log_type, source in SOURCES.items()}, overlays)
    click.echo(json.dumps(_as_json(found)) if as_json else "\n".join(_as_text(found)))


def _as_json(found: Explanation) -> dict[str, Any]:
    rule = found.rule
    return {
        "rule": rule.id,
        "version": rule.version,
        "enabled": rule.enabled,
        "severity": rule.severity,
        "log_types": rule.log_types,
        "needs": {
            need.field: {"exact": need.exact, "prefixes": need.prefixes, "parts": need.parts, "absent": need.absent}
            for need in found.needs
        },
        "column": found.column or None,
        "why": found.why or None,
        "begins": found.begins or None,
        "helpful": found.helpful,
        "files": [str(file) for file in found.files],
        "tests": {"matching": found.matching_tests, "other": found.other_tests},
        "overlay": found.overlay,
    }


def _as_text(found: Explanation) -> Iterator[str]:
    rule = found.rule
    yield f"{rule.id}: {rule.kind}, {'enabled' if rule.enabled else 'disabled'}, {rule.severity.lower()}"
    yield _line("version", rule.version)
    yield from _block("made of", [_short(file) for file in found.files])
    yield _line("reads", ", ".join(rule.log_types))
    yield from _block("shown", list(_shown(found)))
    yield from _block("tests", list(_tests(found)))
    yield from _block("overlay", found.overlay)


def _shown(found: Explanation) -> Iterator[str]:
    """Which events, and why not fewer."""
    if not found.needs:
        yield f"every event of its log types: {found.why}"
        if found.begins:
            yield _short(found.begins)
        if found.helpful:
            yield f"what would help is a test of {_some(found.helpful, 'or')}"
        return
    yield "events in which " + ("all of this holds:" if len(found.needs) > 1 else "this holds:")
    yield from (f"  {need.field} {_values(need)}" for need in found.needs)
    if not found.column:
        yield "none of these fields is a column: each event is read to look at them"


def _values(need: FieldNeed) -> str:
    parts = [f"is {_some(need.exact, 'or')}"] if need.exact else []
    parts += [f"begins with {_some(need.prefixes, 'or')}"] if need.prefixes else []
    parts += [f"contains {_some(need.parts, 'or')}"] if need.parts else []
    return ", or ".join([*parts, *(["is absent"] if need.absent else [])])


def _tests(found: Explanation) -> Iterator[str]:
    for names, word in ((found.matching_tests, "match"), (found.other_tests, "no match")):
        yield from (f"{word}: {name}" for name in names)
    if not found.matching_tests and not found.other_tests:
        yield "none"


def _some(names: Sequence[str], word: str) -> str:
    """Names in a sentence, of many the first; the empty text shows as such."""
    names = [name or '""' for name in names]
    if len(names) > _SHOWN:
        return f"{', '.join(names[:_SHOWN])} {word} {len(names) - _SHOWN} more"
    return ", ".join(names) if len(names) < 2 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def _short(path: Path | str) -> str:
    """A path below the working folder without it."""
    return str(path).removeprefix(f"{Path.cwd()}/")


def _block(name: str, lines: Sequence[str]) -> Iterator[str]:
    """Lines under one name."""
    yield from (_line("" if index else name, line) for index, line in enumerate(lines))


def _line(name: str, text: str) -> str:
    return f"  {name:<8} {text}"
