"""`iota backup`: the store in one file."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Overwrite the file if it is there.")
def command(file: Path, replace: bool) -> None:
    """Write a backup of the store into FILE, as of one moment, while everything runs.

    With PostgreSQL this calls its `pg_dump`. Lake and spool are files: copy them after the store. The rest of the home
    folder is made again when it is needed.
    """
    from iota_dagster.core.store.backup import backup
    from iota_dagster.settings import load_settings

    size = backup(load_settings().store_url, file, replace=replace)
    click.echo(f"{file}: {size:,} bytes")
