"""A `Storage` in memory, for property tests that would otherwise wait for thousands of fsyncs."""

from __future__ import annotations


class MemoryStorage:
    """What id files and bloom filters use of a storage; like S3 it has no local paths."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path]

    def write(self, path: str, data: bytes) -> None:
        self.files[path] = data

    def delete(self, path: str) -> None:
        self.files.pop(path, None)

    def exists(self, path: str) -> bool:
        return path in self.files

    def local_path(self, path: str) -> None:
        return None
