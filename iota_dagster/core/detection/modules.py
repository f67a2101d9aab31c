"""Running the Python files of rules.

A rule file is run by path into a module of its own, and its imports are looked up by `CodeFiles`, without touching
`sys.path` or `sys.modules`: two folders may have files of the same name, and two versions of a pack may live in one
process. That is done by giving each module its own `__import__`, which also holds for imports inside functions. No
bytecode is written beside the rules.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib.util
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from iota_dagster.core.detection.code_files import CodeFiles, search_path
from iota_dagster.core.detection.provided import OPTIONAL
from iota_dagster.core.extras import install

log = logging.getLogger("iota.rules")
_PREFIX = "iota_rules."


class PackageMissing(ModuleNotFoundError):
    """A rule imports a package that is an extra of iota and not installed."""


class Importer:
    """Loads rule modules and the helpers they share. One importer per pack: helpers are run once in it."""

    def __init__(self, files: CodeFiles | None = None) -> None:
        self.files = files or CodeFiles()
        self.modules: dict[tuple[Path, ...], ModuleType] = {}

    def load(self, file: Path, helpers: Sequence[Path], code: CodeType | None = None) -> ModuleType:
        """A fresh module of a rule file, or of other code in its place; what the code raises goes to the caller."""
        return self.run(file, file.stem, Scope(self, file, tuple(helpers)), code=code)

    def run(
        self,
        file: Path,
        name: str,
        scope: Scope,
        keep: tuple[Path, ...] | None = None,
        code: CodeType | None = None,
    ) -> ModuleType:
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
            exec(code or self.files.code(file), module.__dict__)
        except BaseException:
            if keep:
                del self.modules[keep]
            raise
        return module


class Scope:
    """Where the imports of a file are looked up: its own folder, the helpers' folders, what iota provides, Python."""

    def __init__(self, importer: Importer, file: Path, helpers: tuple[Path, ...]) -> None:
        self._importer, self._helpers = importer, helpers
        self._folders = search_path(file, helpers)
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
            return _foreign(name, globals, locals, fromlist or (), level)
        for child in fromlist or ():
            if not hasattr(module, child):
                self._module(f"{full}.{child}")
        return module if fromlist else self._module(full.partition(".")[0]) or module

    def _module(self, name: str) -> ModuleType | None:
        """A module of this scope by its dotted name, run at its first import; `None` when it is not from here."""
        file = self._importer.files.locate(name, self._folders)
        if file is None:
            return None
        parent = self._module(name.rpartition(".")[0]) if "." in name else None
        key = (file, *self._helpers)
        module = self._importer.modules.get(key)
        if module is None:
            own = "." not in name or file.name == "__init__.py"
            scope = Scope(self._importer, file, self._helpers) if own else self
            module = self._importer.run(file, name, scope, keep=key)
        if parent is not None:
            setattr(parent, name.rpartition(".")[2], module)
        return module


def where(error: BaseException) -> tuple[Path, int] | None:
    """The file and line of a rule's or a helper's own code in which an error arose, or `None`."""
    place = None
    step = error.__traceback__
    while step:
        if str(step.tb_frame.f_globals.get("__name__")).startswith(_PREFIX):
            place = Path(step.tb_frame.f_code.co_filename), step.tb_lineno
        step = step.tb_next
    return place


def _foreign(
    name: str,
    globals: Mapping[str, Any] | None,
    locals: Mapping[str, Any] | None,
    fromlist: Sequence[str],
    level: int,
) -> ModuleType:
    """An import that leads out of the rules; a package that is known to be optional is named when it is missing."""
    try:
        return builtins.__import__(name, globals, locals, fromlist, level)
    except ModuleNotFoundError as error:
        package = OPTIONAL.get((error.name or "").partition(".")[0])
        if package is None:
            raise
        text = f"the package {package} is not installed: {install('rules')}"
        raise PackageMissing(text, name=error.name) from None


def _print(
    *values: object, sep: str | None = None, end: str | None = None, file: Any = None, flush: bool = False
) -> None:
    """The `print` of rules: to the log, because standard output belongs to the command that runs them."""
    if file is not None:
        print(*values, sep=sep, end=end, file=file, flush=flush)
    else:
        log.debug("%s", (" " if sep is None else sep).join(map(str, values)))
