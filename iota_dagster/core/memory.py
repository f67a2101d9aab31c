"""Giving memory back: what a step has freed belongs to the system again, not to an allocator's reserve."""

from __future__ import annotations

import ctypes
import sys

import pyarrow as pa


def release_memory() -> None:
    """Return freed pages of Arrow's pool and of the C heap; without it a process stays as large as it ever was."""
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in every C library
        if trim is not None:
            trim(0)
