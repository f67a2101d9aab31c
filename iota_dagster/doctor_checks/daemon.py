"""Dagster: whether its daemon, which runs the sensors and starts the runs, is alive."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from iota_dagster.core.errors import SettingsError
from iota_dagster.doctor_checks.finding import Check, Finding, failed, ok, warning
from iota_dagster.doctor_checks.site import Site
from iota_dagster.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

_SILENT = 120
"""Seconds without a heartbeat; the daemon gives one every 30."""


def checks(site: Site) -> list[Check]:
    """The daemon."""
    return [Check("daemon", partial(_daemon, site), lambda error: "look at dagster.yaml in DAGSTER_HOME")]


def _daemon(site: Site) -> Iterator[Finding]:
    instance = open_instance(site.settings)
    if instance is None:
        yield _asleep(site, f"Dagster has never run in {site.settings.home / 'dagster'}")
        return
    with instance:
        yield _judge(site, instance)


def open_instance(settings: Settings) -> dg.DagsterInstance | None:
    """Dagster's state: that of DAGSTER_HOME where it is set, else the home folder's; None where it has never run."""
    import dagster as dg
    from dagster._core.instance.config import is_dagster_home_set

    folder = settings.home / "dagster"
    if is_dagster_home_set():
        return dg.DagsterInstance.get()
    return dg.DagsterInstance.from_config(str(folder)) if (folder / "dagster.yaml").exists() else None


def _judge(site: Site, instance: dg.DagsterInstance) -> Finding:
    from iota_dagster.defs.resources.platform import refuse_distant_runs

    try:
        refuse_distant_runs(site.settings, instance.run_launcher)
    except SettingsError:
        launcher = type(instance.run_launcher).__name__
        return failed(
            f"{launcher} starts runs on other hosts, and the store is a file of this one",
            "set store_url to a PostgreSQL database",
        )
    beats = {name: status.last_heartbeat for name, status in instance.get_daemon_statuses().items()}
    times = [beat.timestamp for beat in beats.values() if beat]
    if not times:
        return _asleep(site, "the daemon has never run")
    silent = time.time() - max(times)
    if silent > _SILENT:
        return failed(f"the daemon has been silent for {silent / 60:,.0f} minutes", "start `dagster-daemon run`")
    late = [name for name, beat in beats.items() if not beat or time.time() - beat.timestamp > _SILENT]
    errors = [error for beat in beats.values() if beat for error in beat.errors or ()]
    if late:
        return failed(f"the daemon runs, but not its {', '.join(late)}", "look into the daemon's output; restart it")
    if errors:
        return warning(f"the daemon runs; {errors[0].message.strip().splitlines()[0]}", "look into the daemon's output")
    return ok(f"the daemon runs, {len(beats)} parts of it")


def _asleep(site: Site, found: str) -> Finding:
    advice = "start it: `make dev`, or `dagster-daemon run` and `dagster-webserver`"
    return failed(found, advice) if site.settings.queue_url else warning(found, advice)
