"""All settings: the only reader of the environment and of `iota.yaml`.

`load_settings()` takes the file that IOTA_CONFIG names, else `./iota.yaml` if there is one, and puts the variables
`IOTA_<SETTING>` over it. `python -m iota_dagster.settings` prints the page docs/settings.md.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ByteSize,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from iota_dagster.core.arrival.notification import QUEUE
from iota_dagster.core.errors import SettingsError
from iota_dagster.destinations import AnyDestination
from iota_dagster.destinations.json_lines import JsonLines
from iota_dagster.settings_file import CONFIG, Written, explain, override, read_file
from iota_dagster.settings_types import GIB, MIB, LocalPath, Model, Name, Size, StorageUrl, StoreUrl

SEVERITIES = ("INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL")
REGION = r"^[a-z]+(-[a-z]+)+-\d+$"
_QUEUE_REGION = re.compile(
    r"https?://(?:[^/]*\.)?([a-z]+(?:-[a-z]+)+-\d+)\.(?:vpce\.|queue\.)?amazonaws\.com(?:\.cn)?(?:[:/]|$)"
)
OUR_RULES = "iota:rules"
"""The rules that come with iota, wherever it is installed: a list of folders of one's own would leave them out."""
Routing = dict[str, tuple[str, ...]]
_COMMON_NAMES = {"ENABLE_METRICS": "IOTA_ENABLE_METRICS"}


def _rule_folder(value: Any) -> Any:
    return project_file("rules") if value == OUR_RULES else value


RuleFolder = Annotated[LocalPath, BeforeValidator(_rule_folder)]


def _derived(shown: str, default: Callable[[dict[str, Any]], Any], description: str, **more: Any) -> Any:
    """A setting whose default follows from those above it; `shown` is its text for the documentation."""
    return Field(default_factory=default, description=description, json_schema_extra={"shown": shown}, **more)


def _region_in(queue_url: str | None) -> str | None:
    """The region that the URL of an SQS queue names: a queue answers in its own only."""
    found = _QUEUE_REGION.match(queue_url or "")
    return found[1] if found else None


class Limits(Model):
    """What one log object may ask for; past a limit its remainder goes to quarantine."""

    compressed_bytes: Size = Field(ByteSize(GIB), description="Largest object as it is stored.")
    decompressed_bytes: Size = Field(ByteSize(16 * GIB), description="Most bytes that an object may unpack to.")
    ratio: PositiveInt = Field(2000, description="Most bytes out of one compressed byte, against zip bombs.")
    record_bytes: Size = Field(ByteSize(4 * MIB), description="Largest single record.")
    nesting: PositiveInt = Field(100, le=500, description="Deepest nesting of a record, 500 at most.")


class Bloom(Model):
    """The filters in front of the exact duplicate check. They cost or save time; they never decide."""

    capacity_max: PositiveInt = Field(10_000_000, description="Most ids that one event hour's filter is built for.")
    error_rate: float = Field(0.001, gt=0, lt=0.5, description="Share of new ids that need the exact check.")


class Integration(Model):
    """One place that logs are read from: a bucket (with a prefix) and its role, or a local folder."""

    name: Name = Field(description="Its name in tables, metrics and messages.")
    bucket: str | None = Field(
        None, pattern=r"^[a-z0-9][a-z0-9.-]+[a-z0-9]$", examples=["example-logs"], description="The S3 bucket's name."
    )
    path: LocalPath | None = Field(None, description="A local folder, instead of a bucket.")
    prefix: str = Field("", description="Only keys that start with this are read.")
    account: str | None = Field(
        None, pattern=r"^\d{12}$", examples=["111122223333"], description="The account that owns the bucket."
    )
    region: str | None = Field(None, pattern=REGION, examples=["eu-central-1"], description="The bucket's region.")
    role_arn: str | None = Field(
        None,
        pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$",
        examples=["arn:aws:iam::111122223333:role/iota-reader"],
        description="The role to read it with. If it cannot be assumed, nothing is read.",
    )
    external_id: SecretStr | None = Field(None, repr=False, description="The role's external id (secret).")
    external_id_secret: str | None = Field(
        None, min_length=1, description="Instead: the secret in AWS Secrets Manager that holds the external id."
    )
    session_name: str = Field(
        "iota",
        pattern=r"^[\w+=,.@-]{2,64}$",
        examples=["iota"],
        description="The session's name in CloudTrail.",
    )
    requests_per_second: PositiveFloat | None = Field(
        None, description="Most S3 requests a second and process with its role; none: as many as S3 takes."
    )
    log_types: tuple[str, ...] = Field((), description="The log types to expect there; none: all known ones.")
    vpcflow_fields: str | None = Field(
        None,
        pattern=r"^\s*[a-z${][a-z0-9${}_-]*(\s+[a-z${][a-z0-9${}_-]*)+\s*$",
        examples=["version account-id srcaddr dstaddr"],
        description="The fields of VPC flow logs that come without a header line, in their order; `${…}` is allowed.",
    )

    @field_validator("vpcflow_fields")
    @classmethod
    def _as_a_header(cls, value: str | None) -> str | None:
        if value is None:
            return None
        from iota_dagster.core.sources.vpcflow_fields import header_of  # half a second that few settings need

        return header_of(value)

    @model_validator(mode="after")
    def _one_place(self) -> Integration:
        if (self.bucket is None) == (self.path is None):
            raise ValueError(f"{self.name}: expected either bucket or path")
        external_id = self.external_id or self.external_id_secret
        if self.path and (self.role_arn or external_id):
            raise ValueError(f"{self.name}: role_arn and external_id go with a bucket, not with a path")
        if external_id and not self.role_arn:
            raise ValueError(f"{self.name}: external_id needs role_arn")
        if self.external_id and self.external_id_secret:
            raise ValueError(f"{self.name}: expected either external_id or external_id_secret")
        return self

    @property
    def location(self) -> str:
        """The bucket's name as log objects carry it: a folder is the bucket `file://<folder>`."""
        return self.bucket or f"file://{self.path}"


class Settings(Model):
    """Everything that can be set. Paths are absolute once loaded."""

    home: LocalPath = Field(
        Path(".iota"),
        description="The folder for all that iota keeps on this host; the default lies beside the settings file, "
        "without one in the working folder.",
    )
    store_url: StoreUrl = _derived(
        "`sqlite:///<home>/iota.db`",
        lambda data: f"sqlite:///{data['home']}/iota.db",
        "The state store: SQLite on one host, PostgreSQL for several (may hold a password).",
        repr=False,
    )
    lake_url: StorageUrl = _derived(
        "`<home>/lake`", lambda data: data["home"] / "lake", "The lake: a folder or `s3://bucket/prefix`."
    )
    work_url: StorageUrl = _derived(
        "`<home>/work`", lambda data: data["home"] / "work", "Work files of batches: a folder or `s3://bucket/prefix`."
    )
    state_url: StorageUrl = _derived(
        "`<home>/state`", lambda data: data["home"] / "state", "Id files and bloom filters: a folder or `s3://…`."
    )
    spool_url: StorageUrl = _derived(
        "`<home>/spool`",
        lambda data: data["home"] / "spool",
        "Events that came in the queue itself, the only copy: a folder or `s3://…`.",
    )
    scratch: LocalPath = _derived(
        "`<home>/scratch`", lambda data: data["home"] / "scratch", "Local space for objects being read."
    )
    rules: tuple[RuleFolder, ...] = _derived(
        f"`[{OUR_RULES}]`",
        lambda data: (OUR_RULES,),
        f"Folders of detection rules; `{OUR_RULES}` is that of the rules that come with iota.",
    )
    rule_overlays: LocalPath | None = Field(
        None, description="A YAML file of your own that switches, tunes and narrows rules; none: they run as they are."
    )
    log_types: tuple[LocalPath, ...] = Field(
        (), description="Folders (or files) of log types of your own, a YAML file each: docs/own-log-types.md."
    )
    queue_url: str | None = Field(
        None,
        pattern="^https?://",
        examples=["https://sqs.eu-central-1.amazonaws.com/111122223333/iota"],
        description="The SQS queue that tells of new objects; none: `iota scan` finds them.",
    )
    region: str | None = _derived(
        "that in `queue_url`, else as AWS's chain says, else us-east-1",
        lambda data: _region_in(data.get("queue_url")),
        "The region of our own queue, lake and catalog.",
        pattern=REGION,
        examples=["eu-central-1"],
    )
    queue_sensors: int = Field(3, ge=1, le=8, description="Identical sensors that wait for messages in turns.")
    queue_wait_seconds: int = Field(
        15, ge=0, le=18, description="How long a sensor waits for a message; with the rest of a tick within 20 s."
    )
    queue_messages: int = Field(2000, ge=1, le=10_000, description="Most messages that one tick of a sensor takes.")
    glue_database: str | None = Field(
        None,
        pattern=r"^[a-z0-9_]{1,255}$",
        examples=["security_lake"],
        description="The Glue database for the lake's tables; none: no catalog.",
    )

    partitions_start: date = Field(date(2020, 1, 1), description="The first hour (00:00 UTC) that can be processed.")

    batch_objects: PositiveInt = Field(2000, description="Most log objects of one batch; a run may have several.")
    batch_bytes: Size = Field(ByteSize(256 * MIB), description="Most stored bytes of one batch.")
    download_workers: PositiveInt = Field(5, description="Threads that download objects.")
    process_workers: PositiveInt | None = Field(
        None, description="Processes that parse; none: one per core, and with a single core the run's own."
    )
    inline_bytes: Size = Field(ByteSize(4 * MIB), description="A smaller batch is parsed in the run's own process.")
    limits: Limits = Field(Limits(), description="What one log object may ask for.")
    bloom: Bloom = Field(Bloom(), description="The filters of the duplicate check.")
    heartbeat_seconds: int = Field(
        15,
        ge=1,
        le=30,
        description="How often a run says that it is alive; other hosts take over after 90 s of silence.",
    )

    notify_within_hours: PositiveInt = Field(24, description="Only events younger than this page anybody.")
    id_files_days: PositiveInt = Field(35, description="How long an event hour's id files stay after its last event.")
    work_files_days: PositiveInt = Field(7, description="How long work files stay once their objects are done.")
    rule_values_days: PositiveInt = Field(
        365, description="How old an event may be and still find what rules remembered before it."
    )

    lake_days: dict[str, PositiveInt] = Field(
        {},
        description="How long tables keep their rows, by event time: days by table, `*` for all others. Without an "
        "entry: for ever.",
    )
    compact_files: int = Field(
        8, ge=0, description="Small files in an hour of a table that housekeeping joins into one; 0: never."
    )
    dagster_runs_days: PositiveInt = Field(
        30, description="How long Dagster's runs stay; the last one of each hour stays longer, and shows what is there."
    )

    rule_seconds: PositiveFloat = Field(2.0, description="Most seconds that one call of a rule may take.")
    rule_memory: Size = Field(ByteSize(GIB), description="Most memory of a process that runs rules.")

    integrations: tuple[Integration, ...] = Field((), description="The buckets and folders to read; no others are.")
    destinations: tuple[AnyDestination, ...] = _derived(
        "`alerts_file`: `<home>/alerts.jsonl`",
        lambda data: (JsonLines(type="json_lines", name="alerts_file", path=data["home"] / "alerts.jsonl"),),
        "Where alerts are sent.",
    )
    routing: Routing = _derived(
        "INFO: nowhere; others: all destinations",
        lambda data: {},
        "Destinations by severity (INFO, LOW, MEDIUM, HIGH, CRITICAL), for alerts whose rule names none. "
        "A severity left out keeps its default.",
    )
    enable_metrics: bool = Field(
        False, description="Whether `iota serve` shows /metrics; the variable `ENABLE_METRICS` sets it as well."
    )
    metrics_host: str = Field("127.0.0.1", min_length=1, description="The address that `iota serve` listens on.")
    metrics_port: int = Field(9477, ge=0, le=65_535, description="Its port; 0: any that is free.")
    pushgateway_url: str | None = Field(
        None,
        pattern="^https?://",
        examples=["http://pushgateway.example.com:9091"],
        description="A Prometheus Pushgateway that `iota serve` sends its metrics to, where nobody can scrape them.",
    )

    traces_endpoint: str | None = Field(
        None,
        description="Where OpenTelemetry traces of runs are sent by OTLP over HTTP, such as "
        "`http://127.0.0.1:4318/v1/traces`; none: nothing is traced. Needs the extra `otel`.",
    )

    endpoint_url: str | None = Field(
        None,
        pattern="^https?://",
        examples=["http://127.0.0.1:5000"],
        description="Another AWS endpoint, for tests.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="The least that is logged.")
    log_format: Literal["text", "json"] = Field("text", description="Lines for people, or a JSON object per line.")

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("traces_endpoint")
    @classmethod
    def _no_secret_in_it(cls, value: str | None) -> str | None:
        if value is None or re.fullmatch(r"https?://[^\s/?#@]+/[^\s?#]+", value):
            return value
        raise ValueError(
            "expected a whole URL such as http://127.0.0.1:4318/v1/traces, without user, password or parameters: "
            "what is secret goes into OTEL_EXPORTER_OTLP_HEADERS"
        )

    @field_validator("integrations", "destinations")
    @classmethod
    def _names_once(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        _refuse_doubles([item.name for item in value], "the name {} is taken twice")
        return value

    @field_validator("integrations")
    @classmethod
    def _no_name_of_ours(cls, value: tuple[Integration, ...]) -> tuple[Integration, ...]:
        if any(item.name == QUEUE for item in value):
            raise ValueError(f"the name {QUEUE} is iota's own, for events that come in the queue itself")
        return value

    @field_validator("integrations")
    @classmethod
    def _places_once(cls, value: tuple[Integration, ...]) -> tuple[Integration, ...]:
        _refuse_doubles([f"{item.location}/{item.prefix}" for item in value], "{} is read by two integrations")
        return value

    @field_validator("routing", mode="before")
    @classmethod
    def _every_severity(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, Mapping):
            return value
        everywhere = tuple(item.name for item in info.data.get("destinations", ()))
        given = {str(severity).upper(): names for severity, names in value.items()}
        if unknown := sorted(set(given) - set(SEVERITIES)):
            raise ValueError(f"{unknown[0]} is not a severity, there are: {', '.join(SEVERITIES)}")
        return {"INFO": (), **dict.fromkeys(SEVERITIES[1:], everywhere), **given}

    @field_validator("routing")
    @classmethod
    def _known_destinations(cls, value: Routing, info: ValidationInfo) -> Routing:
        if "destinations" not in info.data:  # they are wrong themselves
            return value
        known = [item.name for item in info.data["destinations"]]
        for severity, names in value.items():
            for name in sorted(set(names) - set(known)):
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
                raise ValueError(f"{severity}: {name} is not a destination, {hint}")
        return value


def _refuse_doubles(values: Sequence[str], complaint: str) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ValueError(complaint.format(value))


def load_settings(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process: the file's (`path`, else IOTA_CONFIG's, else ./iota.yaml), then the environment's.

    `SettingsError` names each wrong setting on a line of its own: file, line, column, name, and what was expected.
    """
    environ = os.environ if environ is None else environ
    file = _settings_file(path, environ)
    written = read_file(file) if file else Written()
    override(written, _common(environ), Settings)
    try:
        return Settings.model_validate(written.values, context={"base": file.absolute().parent if file else Path.cwd()})
    except ValidationError as error:
        raise explain(error, written, Settings, str(file or "settings")) from None


def settings_as_written() -> tuple[Path | None, bytes]:
    """The settings file and its bytes: what changes when the settings do, in a tenth of a millisecond.

    `SettingsError` when it cannot be read. The environment of a process stays as it is.
    """
    file = _settings_file(None, os.environ)
    try:
        return file, file.read_bytes() if file else b""
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error}") from error


def _common(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment with what it says by a common name; ours goes before it."""
    named = {ours: environ[name] for name, ours in _COMMON_NAMES.items() if name in environ and not environ.get(ours)}
    return {**environ, **named}


def _settings_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = path or (Path(environ[CONFIG]) if environ.get(CONFIG) else None)
    if named and not named.is_file():
        raise SettingsError(f"{named}: there is no such settings file{'' if path else f' ({CONFIG} names it)'}")
    default = Path("iota.yaml")
    return named or (default if default.is_file() else None)


def dagster_home() -> Path | None:
    """The folder that DAGSTER_HOME names; None where it is not set."""
    named = os.environ.get("DAGSTER_HOME")
    return Path(named).expanduser() if named else None


def use_config(path: Path) -> None:
    """Make this process and those that it starts read this settings file."""
    os.environ[CONFIG] = str(path.absolute())


def project_file(name: str) -> Path:
    """A file or folder that comes with iota: beside the package in a checkout, inside it once installed."""
    package = Path(__file__).parent
    inside = package / "project" / name
    return inside if inside.exists() else package.parent / name


if __name__ == "__main__":
    from iota_dagster.settings_page import settings_page

    print(settings_page(), end="")
