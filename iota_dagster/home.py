"""The home folder, made ready before Dagster looks into it, and Dagster's state, there or in DAGSTER_HOME.

`python -m iota_dagster.home` prepares the configured home and prints its DAGSTER_HOME.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from iota_dagster.core.errors import IotaError
from iota_dagster.core.extras import install
from iota_dagster.settings import Settings, dagster_home, load_settings, project_file

if TYPE_CHECKING:
    import dagster as dg

_MARK = "# Copied by iota, renewed with it while unchanged. Edit it and it is yours. "


def prepare_home(settings: Settings) -> Path:
    """Make the home folder and its `dagster` folder with our dagster.yaml; returns the latter, the DAGSTER_HOME.

    A copy that nobody has edited is renewed when the project's file has changed; an edited one is left alone.
    """
    folder = _own_folder(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / "dagster.yaml"
        wanted = _marked(project_file("dagster_home/dagster.yaml").read_text(encoding="utf-8"))
        present = target.read_text(encoding="utf-8") if target.exists() else None
        if present != wanted and (present is None or _is_unchanged(present)):
            _replace(target, wanted)
    except OSError as error:
        raise IotaError(
            f"the folder {folder} cannot be made ready by user {os.geteuid()}: {error.strerror}. Set home (IOTA_HOME) "
            "to a folder of this user, or run this as the user that runs iota"
        ) from error
    return folder


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """Dagster's state, to be closed by the caller: that of DAGSTER_HOME where it is set, else the home folder's.

    The home folder is made ready before. `IotaError` when Dagster cannot open it, with what to do.
    """
    folder = dagster_home() or _own_folder(settings)
    if folder == _own_folder(settings):
        prepare_home(settings)
    return _opened(folder)


def find_instance(settings: Settings) -> dg.DagsterInstance | None:
    """The same for somebody who only looks: nothing is made, and None where Dagster has never run."""
    folder = dagster_home() or _own_folder(settings)
    return _opened(folder) if dagster_home() or (folder / "dagster.yaml").exists() else None


def _own_folder(settings: Settings) -> Path:
    return settings.home / "dagster"


def _opened(folder: Path) -> dg.DagsterInstance:
    import dagster as dg
    from dagster._check import CheckError

    if not folder.is_dir():
        raise IotaError(f"DAGSTER_HOME is {folder}, and there is no such folder: make it, or set another one")
    try:
        return dg.DagsterInstance.from_config(str(folder))
    except (CheckError, dg.DagsterError) as error:
        said = " ".join(str(error).split())
        raise IotaError(f"Dagster cannot open its state by {folder / 'dagster.yaml'}: {_advice(said)}{said}") from error


def _advice(said: str) -> str:
    """What to do about a package that is not installed; "" for anything else."""
    missing = re.search(r"Couldn't import module (\w+)", said)
    if missing is None:
        return ""
    is_ours = missing[1] == "dagster_postgres"
    return f"{install('postgres') if is_ours else 'install the package of ' + missing[1]}. "


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
