"""`iota doctor`: is everything there that iota needs?"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from iota_dagster.core.text import one_line

if TYPE_CHECKING:
    from iota_dagster.doctor_checks.finding import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "bright_black"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> None:
    """Look at everything that iota needs: settings, folders, store, rules, queue, roles, buckets, catalog, daemon.

    One line each says what was found and what to do. Exit with 1 when something failed. A few bytes are written into
    each storage and removed again; nothing else is changed.
    """
    from iota_dagster.doctor import diagnose

    logging.getLogger("botocore").setLevel(logging.CRITICAL)  # its warnings are findings
    started, out, findings = time.perf_counter(), sys.stdout, []
    # Rules are loaded, and what they write to standard output must not get into ours.
    with contextlib.redirect_stdout(sys.stderr):
        for finding in diagnose():
            findings.append(finding)
            if not as_json:
                click.echo(_line(finding), file=out)
    counts = Counter(finding.status.value for finding in findings)
    seconds = round(time.perf_counter() - started, 2)
    if as_json:
        click.echo(
            json.dumps({"findings": [asdict(item) for item in findings], **_counted(counts), "seconds": seconds})
        )
    else:
        click.echo(f"\n{', '.join(f'{count} {name}' for name, count in _counted(counts).items())} in {seconds} s")
    if counts["failed"]:
        raise click.exceptions.Exit(1)


def _counted(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in _COLOURS}


def _line(finding: Finding) -> str:
    status = click.style(f"{finding.status.value:<8}", fg=_COLOURS[finding.status.value])
    advice = click.style(f" → {one_line(finding.advice)}", bold=True) if finding.advice else ""
    return f"{status} {finding.check:<24} {one_line(finding.found)}{advice}"
