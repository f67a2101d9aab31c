"""The home folder: made ready before Dagster looks into it.

`python -m iota_dagster.home` prepares the configured home and prints its DAGSTER_HOME.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from iota_dagster.settings import Settings, load_settings, project_file

_MARK = "# Copied by iota, renewed with it while unchanged. Edit it and it is yours. "


def prepare_home(settings: Settings) -> Path:
    """Make the home folder and its `dagster` folder with our dagster.yaml; returns the latter, the DAGSTER_HOME.

    A copy that nobody has edited is renewed when the project's file has changed; an edited one is left alone.
    """
    folder = settings.home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "dagster.yaml"
    wanted = _marked(project_file("dagster_home/dagster.yaml").read_text(encoding="utf-8"))
    present = target.read_text(encoding="utf-8") if target.exists() else None
    if present != wanted and (present is None or _is_unchanged(present)):
        _replace(target, wanted)
    return folder


def _marked(content: str) -> str:
    return f"{_MARK}{hashlib.sha256(content.encode()).hexdigest()}\n{content}"


def _is_unchanged(copy: str) -> bool:
    return copy == _marked(copy.partition("\n")[2])


def _replace(target: Path, text: str) -> None:
    """Write whole or not at all: several processes may start at once."""
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(target)


if __name__ == "__main__":
    print(prepare_home(load_settings()))
