"""Compiled rules, kept in a file: compiling some hundred of them takes longer than all the rest of a worker's start.

A piece of code is used only for the very text that it was compiled from, by the same Python.
"""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import os
import uuid
from pathlib import Path
from types import CodeType

from iota_dagster.core.detection.code_files import CodeFiles

_DIGEST = 32


class KeptCode(CodeFiles):
    """`CodeFiles` that compile only what is not in a file of codes yet; `save` brings that up to date."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file, self._used = file, dict[bytes, bytes]()
        self._kept = _load(file)

    def code(self, file: Path) -> CodeType:
        """A file's compiled code; `SyntaxError` when it does not compile."""
        if file not in self._codes:
            key = hashlib.sha256(bytes(file) + b"\0" + self.source(file)).digest()
            kept = self._kept.get(key)
            code = super().code(file) if kept is None else marshal.loads(kept)
            self._codes[file] = code
            self._used[key] = marshal.dumps(code) if kept is None else kept
        return self._codes[file]

    def save(self) -> None:
        """Keep what was used, and only that; a folder that cannot be written to costs the time of compiling."""
        if self._used.keys() == self._kept.keys():
            return
        content = marshal.dumps(self._used)
        draft = self._file.with_name(f"{self._file.name}.{uuid.uuid4().hex[:8]}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(_digest(content) + content)
            os.replace(draft, self._file)
        except OSError:
            return


def _load(file: Path) -> dict[bytes, bytes]:
    try:
        data = file.read_bytes()
    except OSError:
        return {}
    content = data[_DIGEST:]
    if data[:_DIGEST] != _digest(content):  # marshal itself must not be shown what is broken
        return {}
    kept: dict[bytes, bytes] = marshal.loads(content)
    return kept


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(importlib.util.MAGIC_NUMBER + content).digest()
