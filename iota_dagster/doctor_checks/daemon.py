"""Dagster: whether its daemon, which runs the sensors and starts the runs, is alive, and whether runs can begin."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from iota_dagster.core.errors import SettingsError
from iota_dagster.doctor_checks.finding import Check, Finding, failed, ok, skipped, warning
from iota_dagster.doctor_checks.site import Site
from iota_dagster.home import find_instance

if TYPE_CHECKING:
    import dagster as dg

_SILENT = 120
"""Seconds without a heartbeat; the daemon gives one every 30."""
_RUN_LOGS_ADVICE = (
    "every run fails like this: correct compute_logs in dagster.yaml, or give this command and all of Dagster's "
    "processes the variables that it names (RUN_LOGS_BUCKET, see deploy/aws)"
)


def checks(site: Site) -> list[Check]:
    """The daemon, and where runs put what they print."""
    return [
        Check("daemon", partial(_daemon, site), lambda error: "look at dagster.yaml in DAGSTER_HOME"),
        Check("run logs", partial(_run_logs, site), lambda error: _RUN_LOGS_ADVICE),
    ]


def _daemon(site: Site) -> Iterator[Finding]:
    instance = find_instance(site.settings)
    if instance is None:
        yield _asleep(site, f"Dagster has never run in {site.settings.home / 'dagster'}")
        return
    with instance:
        yield _judge(site, instance)


def _run_logs(site: Site) -> Iterator[Finding]:
    """What Dagster makes only once a run begins, which then fails: its settings may name variables or packages."""
    instance = find_instance(site.settings)
    if instance is None:
        yield skipped("Dagster has never run")
        return
    with instance:
        yield ok(type(instance.compute_log_manager).__name__)


def _judge(site: Site, instance: dg.DagsterInstance) -> Finding:
    from iota_dagster.defs.resources.platform import refuse_distant_runs

    try:
        refuse_distant_runs(site.settings, instance.run_launcher)
    except SettingsError as error:
        return failed(str(error), "correct these settings, or start runs on this host (dagster_home/dagster.yaml)")
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
