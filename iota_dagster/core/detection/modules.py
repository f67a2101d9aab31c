"""Running the Python files of rules.

A rule file is run by path into a module of its own, and its imports are looked up in the rule's folder and in the
helpers' folders, without touching `sys.path` or `sys.modules`: two folders may have files of the same name, and two
versions of a pack may live in one process. That is done by giving each module its own `__import__`, which also holds
for imports inside functions. The standard library always wins, so that a rule file called `json.py` breaks nobody.
No bytecode is written beside the rules.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib.util
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

log = logging.getLogger("iota.rules")
_PREFIX = "iota_rules."


class Importer:
    """Loads rule modules and the helpers they share. One importer per pack: helpers are run once in it."""

    def __init__(self) -> None:
        self.modules: dict[tuple[Path, ...], ModuleType] = {}
        self._sources: dict[Path, bytes] = {}
        self._codes: dict[Path, CodeType] = {}

    def load(self, file: Path, helpers: Sequence[Path]) -> ModuleType:
        """A fresh module of a rule file; whatever its code raises goes to the caller."""
        return self.run(file, file.stem, Scope(self, file.parent, tuple(helpers)))

    def run(self, file: Path, name: str, scope: Scope, keep: tuple[Path, ...] | None = None) -> ModuleType:
        """Run a file as the module `name`; with `keep` it is remembered first, so that circles of imports end."""
        digest = hashlib.sha256(str(file).encode()).hexdigest()[:8]
        module = ModuleType(f"{_PREFIX}{digest}.{name}")
        package = file.name == "__init__.py"
        module.__dict__.update(
            __file__=str(file),
            __package__=name if package else name.rpartition(".")[0],
            __builtins__=scope.builtins,
        )
        if package:
            module.__path__ = [str(file.parent)]
        if keep:
            self.modules[keep] = module
        try:
            exec(self.code(file), module.__dict__)
        except BaseException:
            if keep:
                del self.modules[keep]
            raise
        return module

    def source(self, file: Path) -> bytes:
        """A file's content, read once, so that the hash and the code are of the same text."""
        if file not in self._sources:
            self._sources[file] = file.read_bytes()
        return self._sources[file]

    def code(self, file: Path) -> CodeType:
        """A file's compiled code; `SyntaxError` when it does not compile."""
        if file not in self._codes:
            self._codes[file] = compile(self.source(file), str(file), "exec", dont_inherit=True)
        return self._codes[file]

    def files(self, file: Path, helpers: Sequence[Path]) -> set[Path]:
        """A file and all files of the folders that it may import, directly or not.

        Taken from the names in the compiled code: one file too many changes a version without need, one too few never.
        """
        found: set[Path] = set()
        open_files = [file]
        while open_files:
            current = open_files.pop()
            if current not in found:
                found.add(current)
                scope = Scope(self, current.parent, tuple(helpers))
                for name in _names(self.code(current)):
                    open_files += scope.files_of(name)
        return found


class Scope:
    """Where the imports of a file are looked up: its own folder, then the helpers' folders, then Python's."""

    def __init__(self, importer: Importer, folder: Path, helpers: tuple[Path, ...]) -> None:
        self._importer, self._folders, self._helpers = importer, dict.fromkeys((folder, *helpers)), helpers
        self.builtins = {**vars(builtins), "__import__": self.import_name, "print": _print}

    def import_name(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """The `__import__` of the modules in this scope."""
        full = name
        if level:
            full = importlib.util.resolve_name("." * level + name, (globals or {}).get("__package__") or "")
        module = self._module(full)
        if module is None:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        for child in fromlist or ():
            if not hasattr(module, child):
                self._module(f"{full}.{child}")
        return module if fromlist else self._module(full.partition(".")[0]) or module

    def files_of(self, name: str) -> list[Path]:
        """The files that a name may stand for: one module, or everything in a package."""
        file = self._locate(name.partition(".")[0])
        if file is None:
            return []
        return sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]

    def _module(self, name: str) -> ModuleType | None:
        """A module of this scope by its dotted name, run at its first import; `None` when it is not from here."""
        file = self._locate(name)
        if file is None:
            return None
        parent = self._module(name.rpartition(".")[0]) if "." in name else None
        key = (file, *self._helpers)
        module = self._importer.modules.get(key)
        if module is None:
            scope = self if "." in name else Scope(self._importer, file.parent, self._helpers)
            module = self._importer.run(file, name, self._package_scope(file) or scope, keep=key)
        if parent is not None:
            setattr(parent, name.rpartition(".")[2], module)
        return module

    def _package_scope(self, file: Path) -> Scope | None:
        """A package looks its imports up where the package itself lies, not inside itself."""
        return Scope(self._importer, file.parent.parent, self._helpers) if file.name == "__init__.py" else None

    def _locate(self, name: str) -> Path | None:
        """The file of a dotted name in the first folder that has it; never one that hides the standard library."""
        first, *rest = name.split(".")
        if not first or first in sys.stdlib_module_names:
            return None
        for folder in self._folders:
            base = folder.joinpath(first, *rest)
            for file in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
                if file.is_file():
                    return file
        return None


def where(error: BaseException) -> tuple[Path, int] | None:
    """The file and line of a rule's or a helper's own code in which an error arose, or `None`."""
    place = None
    step = error.__traceback__
    while step:
        if str(step.tb_frame.f_globals.get("__name__")).startswith(_PREFIX):
            place = Path(step.tb_frame.f_code.co_filename), step.tb_lineno
        step = step.tb_next
    return place


def _names(code: CodeType) -> Iterator[str]:
    """All global names, attributes and imports of a piece of code and of the functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _print(
    *values: object, sep: str | None = None, end: str | None = None, file: Any = None, flush: bool = False
) -> None:
    """The `print` of rules: to the log, because standard output belongs to the command that runs them."""
    if file is not None:
        print(*values, sep=sep, end=end, file=file, flush=flush)
    else:
        log.debug("%s", (" " if sep is None else sep).join(map(str, values)))
