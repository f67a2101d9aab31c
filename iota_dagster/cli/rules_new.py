"""`iota rules new`: a rule to start from."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iota_dagster.settings import OUR_RULES

if TYPE_CHECKING:
    from iota_dagster.settings import Settings


@click.command("new")
@click.argument("rule_id", metavar="RULE_ID")
@click.option("--log-type", default="AWS.CloudTrail", show_default=True, help="The log type it is about.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="Where to write it. [default: below ./rules]"
)
def command(rule_id: str, log_type: str, folder: Path | None) -> None:
    """Write a small rule that works: its Python and its YAML file, with tests and with comments to learn from.

    RULE_ID has the form Vendor.Service.WhatHappened. Files that exist are never touched.
    """
    from iota_dagster.core.detection.authoring.scaffold import new_rule
    from iota_dagster.settings import load_settings

    settings = load_settings()
    _refuse_a_slip(log_type, settings)
    code, document = new_rule(rule_id, log_type, folder)
    click.echo(f"wrote {code}\nwrote {document}")
    click.echo(f"Next: iota rules test {document}; iota rules mutate {document}; iota rules lint {document}")
    if not any(document.resolve().is_relative_to(place.resolve()) for place in settings.rules):
        click.echo(f"No run uses it before the settings name its folder: `rules: [{OUR_RULES}, {folder or 'rules'}]`")


def _refuse_a_slip(log_type: str, settings: Settings) -> None:
    """A rule of a type that is yet to be made is no mistake; of one that is nearly a known one it is."""
    from iota_dagster.core.errors import RuleError
    from iota_dagster.core.sources.registry import SOURCES
    from iota_dagster.log_types import own_log_types

    own_log_types(settings)
    near = difflib.get_close_matches(log_type, SOURCES, 1, 0.8)
    if near and log_type not in SOURCES:
        raise RuleError(f"there is no log type {log_type}, did you mean {near[0]}?")
