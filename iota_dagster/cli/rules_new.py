"""`iota rules new`: a rule to start from."""

from __future__ import annotations

from pathlib import Path

import click


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

    code, document = new_rule(rule_id, log_type, folder)
    click.echo(f"wrote {code}\nwrote {document}")
    click.echo(f"Next: iota rules test {document}; iota rules mutate {document}; iota rules lint {document}")
