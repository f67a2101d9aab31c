"""Settings → the domain's objects: the one place where they are put together, for commands and Dagster alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from iota_dagster.core.alerting.destination import Destination
from iota_dagster.core.arrival.intake import Intake, origins
from iota_dagster.core.arrival.register import Origin
from iota_dagster.core.arrival.spooling import SPOOLED, EventSpool, spooled_prefix
from iota_dagster.core.aws.accounts import Account, Accounts
from iota_dagster.core.aws.clients import ClientFactory, Role
from iota_dagster.core.batch.decoding import Declared, IngestPlan
from iota_dagster.core.batch.fetching import Spool
from iota_dagster.core.batch.prepare import Preparer
from iota_dagster.core.batch.road import Alerting, Road
from iota_dagster.core.batch.work import WorkArea
from iota_dagster.core.dedup.rebuild import IdRebuilder
from iota_dagster.core.dedup.seen import BloomOptions, SeenEvents
from iota_dagster.core.errors import SettingsError
from iota_dagster.core.lake.publication import Lake
from iota_dagster.core.light_arrow import spare_pandas
from iota_dagster.core.local_objects import SCHEME
from iota_dagster.core.model import Alert, LogObject
from iota_dagster.core.objects import Objects
from iota_dagster.core.reading.decode import DecodeLimits
from iota_dagster.core.recovery.maintenance import Housekeeping, Keep
from iota_dagster.core.storage import Storage, open_storage
from iota_dagster.core.store.claims import ClaimLimits
from iota_dagster.core.store.database import Database
from iota_dagster.destinations.base import Means
from iota_dagster.log_types import keep_columns, own_log_types
from iota_dagster.own_clients import own_clients
from iota_dagster.process_workers import default_workers, rules_of_a_run, shared_pool
from iota_dagster.secrets import resolve
from iota_dagster.settings import Integration, Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from iota_dagster.core.aws.queue import SqsQueue
    from iota_dagster.core.lake.catalog import LakeCatalog


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything that a process needs, over one store."""

    settings: Settings
    database: Database
    lake: Storage
    state: Storage
    work: WorkArea
    objects: Objects
    intake: Intake
    queue: SqsQueue | None
    catalog: LakeCatalog | None
    accounts: Accounts
    seen: SeenEvents
    road: Road
    housekeeping: Housekeeping


@dataclass(frozen=True, slots=True)
class _Places:
    """Where everything lies that iota writes, besides the store."""

    lake: Storage
    state: Storage
    spool: Storage
    work: WorkArea

    @classmethod
    def of(cls, settings: Settings, clients: ClientFactory) -> _Places:
        return cls(
            lake=open_storage(settings.lake_url, clients),
            state=open_storage(settings.state_url, clients),
            spool=open_storage(settings.spool_url, clients),
            work=WorkArea(open_storage(settings.work_url, clients), settings.scratch),
        )


def open_platform(settings: Settings, bloom: BloomOptions | None = None, accounts: Accounts | None = None) -> Platform:
    """Put the platform together; the store is brought to its newest schema, nothing else is touched.

    It is good for one run as far as rules go: they are read when first asked for, and then stay as they are.
    `bloom` and `accounts` take the place of what the settings say of the filters and the integrations' roles.
    """
    spare_pandas()
    database = Database(settings.store_url)
    database.migrate()
    schemas = own_log_types(settings)
    keep_columns(database, schemas)
    clients = own_clients(settings)
    places, accounts = _Places.of(settings, clients), accounts or open_accounts(settings)
    origin_of = _origins(settings, places.spool)
    objects = Objects(_Readable(origin_of), _Clients(accounts, clients), settings.limits.compressed_bytes)
    bloom = bloom or BloomOptions(capacity_max=settings.bloom.capacity_max, error_rate=settings.bloom.error_rate)
    seen = SeenEvents(places.state, IdRebuilder(database, places.lake, places.work), bloom)
    plan = IngestPlan(
        decode_limits(settings), _Declared(settings.integrations), settings.inline_bytes, user_types=schemas
    )
    settings.scratch.mkdir(parents=True, exist_ok=True)
    pool = shared_pool(settings.process_workers or default_workers())
    preparer = Preparer(database, places.work, places.state, seen, pool, plan)
    return Platform(
        settings=settings,
        database=database,
        lake=places.lake,
        state=places.state,
        work=places.work,
        objects=objects,
        intake=Intake(database, objects, origin_of, EventSpool(database, places.spool, objects)),
        queue=_queue(settings, clients),
        catalog=_catalog(settings, clients, database),
        accounts=accounts,
        seen=seen,
        road=_road(settings, clients, preparer, Lake(database, places.lake, settings.scratch), objects),
        housekeeping=_housekeeping(settings, database, places),
    )


def _road(settings: Settings, clients: ClientFactory, preparer: Preparer, lake: Lake, objects: Objects) -> Road:
    database, scratch = lake.database, settings.scratch
    return Road(
        database=database,
        spool=Spool(database, objects, scratch, settings.download_workers, lambda: datetime.now(UTC)),
        preparer=preparer,
        lake=lake,
        alerting=Alerting(
            rules=rules_of_a_run(settings),
            destinations=open_destinations(settings, clients),
            route=_Routing(settings.routing),
            notify_within=timedelta(hours=settings.notify_within_hours),
        ),
        limits=ClaimLimits(settings.batch_objects, settings.batch_bytes),
        scratch=scratch,
        heartbeat=timedelta(seconds=settings.heartbeat_seconds),
    )


def _housekeeping(settings: Settings, database: Database, places: _Places) -> Housekeeping:
    keep = Keep(
        work=timedelta(days=settings.work_files_days),
        ids=timedelta(days=settings.id_files_days),
        values=timedelta(days=settings.rule_values_days),
    )
    return Housekeeping(database, places.lake, places.work, places.state, settings.scratch, keep, places.spool)


def decode_limits(settings: Settings) -> DecodeLimits:
    """What one log object may ask for."""
    limits = settings.limits
    return DecodeLimits(
        compressed_bytes=limits.compressed_bytes,
        decompressed_bytes=limits.decompressed_bytes,
        ratio=limits.ratio,
        record_bytes=limits.record_bytes,
        nesting=limits.nesting,
    )


def open_destinations(settings: Settings, clients: ClientFactory) -> list[Destination]:
    """What sends alerts to each destination of the settings."""
    means = Means(lambda name: resolve(settings, name), clients)
    return [item.open(means) for item in settings.destinations]


def _origins(settings: Settings, spool: Storage) -> Callable[[str, str], Origin | None]:
    """Whose an object is, by bucket and key: an integration's, or our own spool's."""
    places = [
        (item.location, item.prefix, Origin(item.name, item.account, item.region)) for item in settings.integrations
    ]
    return origins([*places, (*spooled_prefix(spool.url), SPOOLED)])


def _queue(settings: Settings, clients: ClientFactory) -> SqsQueue | None:
    if settings.queue_url is None:
        return None
    from iota_dagster.core.aws.queue import SqsQueue

    return SqsQueue(clients.sqs(), settings.queue_url)


def _catalog(settings: Settings, clients: ClientFactory, database: Database) -> LakeCatalog | None:
    if settings.glue_database is None:
        return None
    from iota_dagster.core.aws.glue import GlueCatalog
    from iota_dagster.core.lake.catalog import LakeCatalog

    return LakeCatalog(database, GlueCatalog(clients.glue(), settings.glue_database), settings.lake_url)


def open_accounts(
    settings: Settings, requests_per_second: float | None = None, own: ClientFactory | None = None
) -> Accounts:
    """The accounts of all integrations that have a bucket; nothing is connected yet.

    `requests_per_second` is for those that set no limit themselves; `own` makes the clients with our own credentials.
    """
    own = own or own_clients(settings)

    @cache
    def secret(name: str) -> Callable[[], str]:  # one callable by name: roles compare
        return lambda: resolve(settings, name)

    accounts = {
        item.name: Account(_role(item, secret), item.region, item.requests_per_second or requests_per_second)
        for item in settings.integrations
        if item.bucket
    }
    return Accounts(accounts, own)


def _role(item: Integration, secret: Callable[[str], Callable[[], str]]) -> Role | None:
    if item.role_arn is None:
        return None
    external_id: str | Callable[[], str] | None = None
    if item.external_id:
        external_id = item.external_id.get_secret_value()
    elif item.external_id_secret:
        external_id = secret(item.external_id_secret)
    return Role(item.role_arn, item.session_name, external_id)


@dataclass(frozen=True, slots=True)
class _Readable:
    """Which integration may read an object: the longest matching prefix of its bucket.

    A local folder is readable when it is in the ledger: only somebody on this host can have put it there.
    """

    origin_of: Callable[[str, str], Origin | None]

    def __call__(self, bucket: str, key: str) -> str | None:
        origin = self.origin_of(bucket, key)
        if origin is not None:
            return origin.integration
        return "local" if bucket.startswith(SCHEME) else None


@dataclass(frozen=True, slots=True)
class _Clients:
    """The S3 client that reads an integration, with its role; what is spooled is read with our own credentials."""

    accounts: Accounts
    own: ClientFactory

    def __call__(self, integration: str) -> S3Client:
        return self.own.s3() if integration == SPOOLED.integration else self.accounts(integration)


@dataclass(frozen=True, slots=True)
class _Declared:
    """What an object's integration says of its content."""

    integrations: Sequence[Integration]

    def __call__(self, item: LogObject) -> Declared:
        for integration in self.integrations:
            if integration.name == item.integration:
                header = integration.vpcflow_fields
                return Declared(integration.log_types or None, header.encode() if header else None)
        return Declared()


@dataclass(frozen=True, slots=True)
class _Routing:
    """An alert's destinations: the rule's own, else those of its severity."""

    by_severity: Mapping[str, Sequence[str]]

    def __call__(self, alert: Alert, named: tuple[str, ...] | None) -> Sequence[str]:
        return self.by_severity.get(alert.severity, ()) if named is None else named


def folder_integration(settings: Settings, location: str) -> str:
    """The name of a folder's integration: the configured one, else the folder's own name."""
    for item in settings.integrations:
        if item.location == location:
            return item.name
    name = location.removeprefix(SCHEME).rstrip("/").rpartition("/")[2]
    if not name:
        raise SettingsError(f"{location} has no name of its own: name a folder below it")
    return name
