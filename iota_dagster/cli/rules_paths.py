"""What the commands about rules have in common: which folders they are about, and reading those."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

Paths = tuple[Path, ...]


def paths_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """The argument `PATH…`, given to the command as `paths`."""
    kind = click.Path(exists=True, path_type=Path)
    return click.argument("paths", nargs=-1, metavar="[PATH]...", type=kind)(function)


def chosen(paths: Paths) -> Paths:
    """The folders and files that were named, else ./rules, else those of the settings, and which they are."""
    if paths or Path("rules").is_dir():
        return paths or (Path("rules"),)
    from iota_dagster.settings import load_settings  # not for who works on ./rules, again and again

    rules = load_settings().rules
    click.echo(f"There is no folder ./rules here: taken are the settings', {', '.join(map(str, rules))}", err=True)
    return rules


@contextlib.contextmanager
def quiet_rules() -> Iterator[None]:
    """What rules write to standard output must not get into ours."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
