"""The platform as a resource: made once per run, from the settings."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg
from pydantic import PrivateAttr

from iota_dagster.core.alerting.deliver import DeliveryReport
from iota_dagster.core.batch.road import Road
from iota_dagster.core.errors import IotaError, SettingsError
from iota_dagster.core.store import figures
from iota_dagster.defs.resources.accounts import AccountsResource
from iota_dagster.defs.resources.seen_events import SeenEventsResource
from iota_dagster.logging_setup import configure_run
from iota_dagster.platform import Platform, open_platform
from iota_dagster.settings import Settings, load_settings
from iota_dagster.traces import Traces, open_traces

_log = logging.getLogger(__name__)


_SHARED = ("lake_url", "work_url", "state_url", "spool_url")


def refuse_distant_runs(settings: Settings, launcher: object) -> None:
    """What lies on one host serves one host: `SettingsError` when runs are started on others (Kubernetes, ECS).

    Of a run in a pod, rows in a local lake would be gone with the pod, and their objects done.
    """
    module = type(launcher).__module__
    if module.startswith(("dagster.", "iota_dagster.")):
        return
    here = ["store_url to a PostgreSQL database"] if settings.store_url.startswith("sqlite") else []
    folders = [name for name in _SHARED if not getattr(settings, name).startswith("s3://")]
    here += [f"{', '.join(folders)} to s3://…"] if folders else []
    if here:
        raise SettingsError(
            f"{module}.{type(launcher).__name__} starts runs on other hosts, which share nothing that lies on this "
            f"one: set {' and '.join(here)}"
        )


class PlatformResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Store, lake, objects, rules and destinations, as `iota.yaml` and the environment configure them."""

    seen_events: SeenEventsResource
    accounts: AccountsResource
    _platform: Platform | None = PrivateAttr(default=None)
    _traces: Traces | None = PrivateAttr(default=None)
    _is_glue_skipped: bool = PrivateAttr(default=False)
    _told: DeliveryReport = PrivateAttr(default_factory=DeliveryReport)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Open the platform for a run."""
        settings = load_settings()
        if context.log is not None:
            configure_run(settings, context.log)
        if context.instance is not None:
            refuse_distant_runs(settings, context.instance.run_launcher)
        platform = open_platform(settings, self.seen_events.options(settings), self.accounts.accounts)
        self._traces = open_traces(settings.traces_endpoint)
        self._platform = platform if self._traces is None else _traced(platform)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Keep what the run's transactions took, however it ended, and close the store's connections."""
        platform, self._platform = self._platform, None
        if platform is None:
            return
        try:
            figures.flush(platform.database, datetime.now(UTC))
        except IotaError as error:  # the run is what it is: its counts are not worth its end
            _log.warning("what this process's transactions took is not counted: %s", error)
        finally:
            platform.database.dispose()

    @property
    def is_glue_skipped(self) -> bool:
        """Whether a step of the run has failed for good before `glue_partitions`, which will not come."""
        return self._is_glue_skipped

    def note_glue_skipped(self) -> None:
        """A step has failed for good that `glue_partitions` waits for."""
        self._is_glue_skipped = True

    def note_told(self, report: DeliveryReport) -> None:
        """Remember what a step of the run has sent, until `alert_deliveries` shows it."""
        self._told += report

    @property
    def told(self) -> DeliveryReport:
        """What the run has sent and not shown yet."""
        return self._told

    def forget_told(self) -> None:
        """It is shown."""
        self._told = DeliveryReport()

    @property
    def platform(self) -> Platform:
        """The platform; only inside a run."""
        if self._platform is None:
            raise RuntimeError("the platform is opened by a run")
        return self._platform

    @property
    def road(self) -> Road:
        """The road of a batch."""
        return self.platform.road

    @property
    def traces(self) -> Traces | None:
        """Where the run's spans go; none where it is not traced."""
        return self._traces


def _traced(platform: Platform) -> Platform:
    from iota_dagster.traced_road import traced

    return replace(platform, road=traced(platform.road))
