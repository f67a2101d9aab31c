"""`iota restore`: a backup in the place of the store."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Overwrite a store that is not empty.")
def command(file: Path, replace: bool) -> None:
    """Put the backup FILE in the place of the store. Stop Dagster first.

    The lake may hold more than the backup knows of: until `iota repair` has compared the two, nothing is processed.
    """
    from iota_dagster.core.store.backup import restore
    from iota_dagster.settings import load_settings

    restore(load_settings().store_url, file, replace=replace)
    click.echo("The store is restored. Now let it learn what the lake has besides: iota repair")
