"""Where a demo plays: a home of its own, an embedded AWS that is set up, and settings that lead there."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import yaml

from iota_dagster.demo.cloudtrail import Generated
from iota_dagster.demo.embedded_aws import Organization, embedded_aws, set_up
from iota_dagster.demo.environment import only
from iota_dagster.demo.home import demo_home
from iota_dagster.demo.traffic import Uploads, last_day
from iota_dagster.settings import Settings, load_settings

Tell = Callable[[str], object]
"""Told in a few words what is being done."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything a demo needs; this process's environment leads to it as well, until the block of `stage` ends."""

    folder: Path
    settings: Settings
    organization: Organization
    generated: Generated
    uploads: Uploads


@contextmanager
def stage(tell: Tell, *, partitions_start: date | None = None) -> Iterator[Stage]:
    """Build the stage, and take it down again at the end. `partitions_start` is the setting of that name."""
    with demo_home(load_settings().home) as folder, ThreadPoolExecutor(1) as pool:
        making = pool.submit(last_day, datetime.now(UTC))
        tell("starting an AWS of our own")
        with embedded_aws(folder / "aws.log") as endpoint_url:
            organization = set_up(endpoint_url)
            variables = organization.environment() | {
                "IOTA_CONFIG": str(_write(folder, organization, partitions_start))
            }
            lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items())]
            (folder / "env").write_text("".join(lines), encoding="utf-8")
            with only(variables):
                yield Stage(folder, load_settings(), organization, making.result(), Uploads(organization.buckets))


def _write(folder: Path, organization: Organization, partitions_start: date | None) -> Path:
    settings = {"home": str(folder), **organization.settings()}
    if partitions_start is not None:
        settings["partitions_start"] = partitions_start.isoformat()
    path = folder / "iota.yaml"
    text = yaml.safe_dump(settings, sort_keys=False)
    path.write_text(f"# Written by `iota demo`; removed when it ends.\n{text}", encoding="utf-8")
    return path
