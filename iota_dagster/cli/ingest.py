"""`iota ingest`: log files and folders through the real assets, recorded in the Dagster instance of the home."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from iota_dagster.cli.outcome import interruptible, progress_bar, show_figures, tell


@click.command("ingest")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(paths: tuple[Path, ...], as_json: bool) -> None:
    """Read log files or folders into the lake and judge them; what was read before adds nothing.

    A folder is an integration and the paths in it are its keys, so that a copy of an AWS bucket keeps its own.
    The figures are those of this command's own runs; only what correlation rules found meanwhile is told whole, as they
    look at all batches at once. The exit code is 1 when something could not be read or done.
    """
    from iota_dagster.ingesting import ingest_paths

    started = time.monotonic()
    advice = "what is not finished is done by the same command, or by a running Dagster."
    with interruptible(advice), progress_bar(not as_json) as progress:
        summary = ingest_paths(paths, progress)
    figures = summary.as_dict() | {"seconds": round(time.monotonic() - started, 3)}
    if as_json:
        click.echo(json.dumps(figures))
    else:
        show_figures(figures)
    tell(summary.notes, summary.problems)
