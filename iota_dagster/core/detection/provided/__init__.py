"""Modules that public rules import by name and that no checkout of them contains.

The loader looks an import up in a rule's own folders first, then here, then in Python. Each module below is ours,
written from how rules use it; it is run like a helper, in the rules' own world.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_FOLDER = Path(__file__).parent


def _sources() -> dict[str, Path]:
    """The dotted name of every module in the packages beside this file."""
    found = {}
    for file in sorted(_FOLDER.glob("*/**/*.py")):
        parts = file.relative_to(_FOLDER).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


SOURCES: Mapping[str, Path] = MappingProxyType(_sources())
"""The file of every module that is provided, by its dotted name; a package's is its `__init__.py`."""

OPTIONAL: Mapping[str, str] = MappingProxyType(
    {
        "dateutil": "python-dateutil",
        "jsonpath_ng": "jsonpath-ng",
        "policyuniverse": "policyuniverse",
        "pycountry": "pycountry",
        "requests": "requests",
    }
)
"""Packages that public rules import and iota may lack: import name to the name they are installed by."""
