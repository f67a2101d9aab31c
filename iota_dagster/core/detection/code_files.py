"""The Python files of rules, read and compiled but never run: where their imports lead, and what they are made of.

A rule file may import modules of its own folder, of the helpers' folders and of `provided`; the standard library always
wins, so that a rule file called `json.py` breaks nobody.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType

from iota_dagster.core.detection.provided import SOURCES
from iota_dagster.core.detection.routing.syntax import Syntax


class CodeFiles:
    """Files by path, each read once, so that a hash, a syntax tree and a module are of the same text."""

    def __init__(self) -> None:
        self._sources: dict[Path, bytes] = {}
        self._codes: dict[Path, CodeType] = {}
        self._trees: dict[Path, ast.Module] = {}
        self._syntaxes: dict[Path, Syntax] = {}
        self._imports: dict[tuple[Path, tuple[Path, ...]], list[Path]] = {}
        self._places: dict[tuple[Path, str], Path | None] = {}

    def source(self, file: Path) -> bytes:
        """A file's content."""
        if file not in self._sources:
            self._sources[file] = file.read_bytes()
        return self._sources[file]

    def digest(self, file: Path) -> bytes:
        """A hash of a file that may be too large to keep; empty when it cannot be read."""
        try:
            with file.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").digest()
        except OSError:
            return b""

    def code(self, file: Path) -> CodeType:
        """A file's compiled code; `SyntaxError` when it does not compile."""
        if file not in self._codes:
            self._codes[file] = compile(self.source(file), str(file), "exec", dont_inherit=True)
        return self._codes[file]

    def tree(self, file: Path) -> ast.Module:
        """A file's syntax tree; `SyntaxError` when it has none."""
        if file not in self._trees:
            self._trees[file] = ast.parse(self.source(file), str(file))
        return self._trees[file]

    def syntax(self, file: Path) -> Syntax:
        """What can be read off a file's syntax tree; `SyntaxError` when it has none."""
        if file not in self._syntaxes:
            self._syntaxes[file] = Syntax(self.tree(file))
        return self._syntaxes[file]

    def locate(self, name: str, folders: Sequence[Path]) -> Path | None:
        """The file of a dotted module name: in the first folder that has it, else one that iota provides."""
        first, *rest = name.split(".")
        if not first or first in sys.stdlib_module_names:
            return None
        return next((file for folder in folders if (file := self._in_folder(folder, first, *rest))), SOURCES.get(name))

    def _in_folder(self, folder: Path, *parts: str) -> Path | None:
        key = folder, ".".join(parts)
        if key not in self._places:
            base = os.path.join(folder, *parts)
            files = (f"{base}.py", os.path.join(base, "__init__.py"))
            self._places[key] = next((Path(file) for file in files if os.path.isfile(file)), None)
        return self._places[key]

    def reachable(self, file: Path, helpers: Sequence[Path]) -> set[Path]:
        """A file and all files of the folders that it may import, directly or not.

        Taken from the names in the compiled code: one file too many changes a version without need, one too few never.
        """
        found: set[Path] = set()
        open_files = [file]
        while open_files:
            current = open_files.pop()
            if current not in found:
                found.add(current)
                open_files += self._imported(current, search_path(current, helpers))
        return found

    def _imported(self, file: Path, folders: tuple[Path, ...]) -> list[Path]:
        """The files that one may import itself, from some folders."""
        key = file, folders
        if key not in self._imports:
            names = set(_names(self.code(file)))
            self._imports[key] = [found for name in names for found in self._files_of(name, folders)]
        return self._imports[key]

    def _files_of(self, name: str, folders: Sequence[Path]) -> list[Path]:
        """The files that a name may stand for: one module, or everything in a package."""
        file = self.locate(name.partition(".")[0], folders)
        if file is None:
            return [SOURCES[name]] if name in SOURCES else []
        return sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]


def search_path(file: Path, helpers: Sequence[Path]) -> tuple[Path, ...]:
    """Where the imports of a file are looked up. A package looks where it lies itself, not inside itself."""
    folder = file.parent.parent if file.name == "__init__.py" else file.parent
    return tuple(dict.fromkeys((folder, *helpers)))


def _names(code: CodeType) -> Iterator[str]:
    """All global names, attributes and imports of a piece of code and of the functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
