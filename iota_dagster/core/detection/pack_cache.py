"""The rules of some folders, read once and kept: a run that starts with 130 rules should not parse their YAML again.

What is kept holds as long as no file of the folders, none that the rules import from elsewhere, and none of this
package has changed in size or time.
"""

from __future__ import annotations

import hashlib
import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from iota_dagster.core.detection.code_files import CodeFiles
from iota_dagster.core.detection.correlation.rule import CorrelationRule
from iota_dagster.core.detection.loader import helper_folders, load_rules
from iota_dagster.core.detection.rule import Rule, RuleFileError, RulePack, Skipped, Surroundings
from iota_dagster.core.detection.scheduled_query import ScheduledQuery

Stamp = tuple[str, int, int]
"""A file's path, size and time of its last change (ns; of its content or its metadata, so that nobody can set it)."""


class _Kept(msgspec.Struct):
    """A pack without its tests, as stored; an error is (file, line, detail), a skipped rule (file, id, reason).

    `stamps` are those of the folders, `sources` those of the Python files that were read, wherever they lie.
    """

    stamps: list[Stamp]
    sources: list[Stamp]
    rules: tuple[Rule, ...]
    surroundings: Surroundings
    correlations: tuple[CorrelationRule, ...]
    queries: tuple[ScheduledQuery, ...]
    errors: list[tuple[str, int, str]]
    skipped: list[tuple[str, str, str]]
    uncertain: frozenset[str]


_decoder = msgspec.msgpack.Decoder(_Kept)


def read_rules(folders: Sequence[Path], cache: Path) -> RulePack:
    """The rules of some folders without their tests; `cache` is a folder for what was read, lost at no cost."""
    file = cache / f"rules-{_name(folders)}.msgpack"
    stamps = list(stamps_of(folders))
    kept = _load(file)
    if kept is None or kept.stamps != stamps or any(_stamp(Path(stamp[0])) != stamp for stamp in kept.sources):
        sources = _Sources()
        pack = load_rules(folders, sources)
        kept = _Kept(
            stamps,
            list(sources.stamps.values()),
            pack.rules,
            pack.surroundings,
            tuple(replace(rule, tests=()) for rule in pack.correlations),
            pack.queries,
            [(str(error.file), error.line, error.detail) for error in pack.errors],
            [(str(item.file), item.id, item.reason) for item in pack.skipped],
            pack.uncertain,
        )
        with suppress(OSError):  # then the next run reads the rules again
            _save(file, kept)
    return RulePack(
        kept.rules,
        tuple(RuleFileError(Path(path), line, detail) for path, line, detail in kept.errors),
        tuple(Skipped(Path(path), name, reason) for path, name, reason in kept.skipped),
        surroundings=kept.surroundings,
        correlations=kept.correlations,
        queries=kept.queries,
        uncertain=kept.uncertain,
    )


class _Sources(CodeFiles):
    """Remembers which files were read, as they were before that."""

    def __init__(self) -> None:
        super().__init__()
        self.stamps: dict[Path, Stamp] = {}

    def source(self, file: Path) -> bytes:
        self.stamps.setdefault(file, _stamp(file))
        return super().source(file)

    def digest(self, file: Path) -> bytes:
        self.stamps.setdefault(file, _stamp(file))
        return super().digest(file)


def stamps_of(folders: Sequence[Path]) -> Iterator[Stamp]:
    """The stamps of all files that a pack is read from, and of those that read it."""
    yield sys.version, 0, 0
    yield _stamp(Path(__file__).parents[1] / "yaml12.py")
    for folder in [*folders, *_helpers(folders), Path(__file__).parent]:
        yield from _stamps_below(folder)


def _helpers(folders: Sequence[Path]) -> list[Path]:
    """The helper folders beside and above the given ones."""
    found = [helper for folder in folders for helper in helper_folders(folder, folder)]
    return [helper for helper in dict.fromkeys(found) if not any(folder in helper.parents for folder in folders)]


def _stamps_below(folder: Path) -> Iterator[Stamp]:
    if folder.is_file():  # a single rule; its code may import from beside it
        yield from map(_stamp, [folder, *sorted(folder.parent.glob("*.py"))])
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        yield from (_stamp(Path(where, name)) for name in sorted(files))


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError:
        return str(file), -1, -1
    return str(file), found.st_size, found.st_ctime_ns


def _name(folders: Sequence[Path]) -> str:
    return hashlib.sha256("\0".join(map(str, folders)).encode()).hexdigest()[:16]


def _load(file: Path) -> _Kept | None:
    try:
        return _decoder.decode(file.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None


def _save(file: Path, kept: _Kept) -> None:
    """Write beside, then rename: another process may read at any moment."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{uuid.uuid4().hex[:8]}")
    draft.write_bytes(msgspec.msgpack.encode(kept))
    draft.replace(file)
