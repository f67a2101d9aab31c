"""The `iota` command. A subcommand's module is imported when it is used, so that help and completion stay fast."""

from __future__ import annotations

import difflib
import sys
from importlib import import_module
from pathlib import Path

import click

from iota_dagster.core.errors import IotaError
from iota_dagster.core.garbage import collect_rarely
from iota_dagster.core.text import printable

# Each name is a module of this package with a click command called `command`; the text is what `iota --help` says.
COMMANDS = {
    "backfill": "Process the log objects of some hours, the done ones again.",
    "backup": "Write the store into a file, while everything runs.",
    "classify": "Say which log type the records of some files are.",
    "demo": "Try everything on generated logs, without AWS.",
    "destinations": "List where alerts go, and try whether they arrive.",
    "doctor": "Look at everything that iota needs, and say what to do.",
    "housekeeping": "Join small files, apply retention, throw away what is due.",
    "ingest": "Read log files and folders into the lake and judge them.",
    "message": "Show what a queue message says.",
    "objects": "Show the log objects of the ledger.",
    "quarantine": "Show and replay what could not be processed.",
    "query": "Run SQL over the lake.",
    "repair": "Rebuild a lost store from its lake.",
    "restore": "Put a backup in the place of the store.",
    "rules": "Test, check and write detection rules.",
    "scan": "Find log objects that no message told of.",
    "serve": "Serve metrics and probes for Prometheus and Kubernetes.",
    "sources": "Look at log types, and make one of your own.",
    "status": "Show on one screen what is late, waits, failed and was found.",
    "trace": "Show where an event came from and what became of it.",
    "verify": "Say whether every log is here; fetch what is missing.",
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands in alphabetical order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now; None when there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"{__name__}.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; a name that is nearly one is told of it."""
        if args and args[0] not in COMMANDS and (near := difflib.get_close_matches(args[0], COMMANDS, 1)):
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `iota --help`, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])


def _use_config(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    if path is not None:
        from iota_dagster.settings import use_config  # pydantic and YAML, only when asked for

        use_config(path)


@click.group(cls=LazyGroup, name="iota", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_use_config,
    expose_value=False,
    is_eager=True,
    help="The settings file. [default: $IOTA_CONFIG, else ./iota.yaml]",
)
@click.version_option(package_name="iota-dagster", message="iota %(version)s")
def iota() -> None:
    """Collect security logs once, judge them, and keep a lake that anybody can query."""


def main() -> None:
    """The console script: an error of ours is a clear line on stderr and exit code 1, not a traceback."""
    collect_rarely()
    try:
        iota(prog_name="iota")
    except IotaError as error:
        click.echo(f"{click.style('Error:', fg='red')} {printable(str(error))}", err=True)
        sys.exit(1)
