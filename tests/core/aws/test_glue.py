"""The Glue catalog against moto's server: made once, extended, switched, and shared with others who do the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.aws.clients import ClientFactory, ClientOptions
from iota_dagster.core.aws.glue import GlueCatalog, GlueTable
from iota_dagster.core.aws.hive import hive_columns, hive_type, more_columns
from iota_dagster.core.errors import IotaError, Outage
from iota_dagster.core.hours import hour_folder, parse_hour_key
from iota_dagster.core.lake.tables import lake_tables
from tests.aws import Aws, own_session

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

TEN = parse_hour_key("2026-11-22-10:00")
ROOT = "s3://example-lake/lake/events/"
SCHEMA = pa.schema(
    [
        pa.field("eventName", pa.string(), metadata={"description": "What was called"}),
        pa.field("p_event_time", pa.timestamp("us", tz="UTC")),
        pa.field("p_any_ip_addresses", pa.list_(pa.string())),
    ]
)


@pytest.fixture(scope="module")
def client(aws: Aws) -> GlueClient:
    """A client of this module's own: the tests listen to its calls."""
    return ClientFactory(ClientOptions(endpoint_url=aws.endpoint, attempts=1), own_session).glue()


@pytest.fixture
def glue(aws: Aws, client: GlueClient) -> GlueCatalog:
    return GlueCatalog(client, aws.name("lake").replace("-", "_"))


def described(glue: GlueCatalog, client: GlueClient, table: str = "events") -> dict[str, Any]:
    return dict(client.get_table(DatabaseName=glue.database, Name=table)["Table"])


def columns(glue: GlueCatalog, client: GlueClient) -> list[tuple[str, str]]:
    return [(item["Name"], item["Type"]) for item in described(glue, client)["StorageDescriptor"]["Columns"]]


def ensure(glue: GlueCatalog, schema: pa.Schema = SCHEMA) -> GlueTable:
    return glue.ensure_table("events", schema, ROOT, "Events by event hour.")


def location(hour: int, generation: int = 0) -> str:
    return f"{ROOT}{hour_folder(hour)}/g={generation}/"


@contextmanager
def calls(client: GlueClient, hook: Callable[[str, dict[str, Any]], Any] = lambda *_: None) -> Iterator[list[str]]:
    """The operations called meanwhile; what `hook` returns takes the place of the service's answer."""
    seen: list[str] = []

    def listen(model: Any, params: dict[str, Any], **_: Any) -> Any:
        seen.append(model.name)
        return hook(model.name, params)

    client.meta.events.register("before-call.glue", listen)
    try:
        yield seen
    finally:
        client.meta.events.unregister("before-call.glue", listen)


def failing(code: str, operation: str = "", status: int = 400, times: int = 1_000) -> Callable[..., Any]:
    """A hook that answers calls (of one operation) with an error."""
    left = [times]

    def answer(name: str, params: dict[str, Any]) -> Any:
        if operation not in ("", name) or not left[0]:
            return None
        left[0] -= 1
        error = {"Error": {"Code": code, "Message": "as the test wants it"}}
        return SimpleNamespace(status_code=status), error | {"ResponseMetadata": {"HTTPStatusCode": status}}

    return answer


def once(operation: str, action: Callable[[], Any]) -> Callable[..., Any]:
    """A hook that lets somebody else act just before the first call of an operation."""
    left = [action]

    def act(name: str, params: dict[str, Any]) -> None:
        if name == operation and left:
            left.pop()()

    return act


# ── tables ──


def test_a_table_is_external_parquet_by_the_hour_with_comments(glue: GlueCatalog, client: GlueClient) -> None:
    table = ensure(glue)
    found = described(glue, client)
    assert table.columns == (
        ("eventname", "string"),
        ("p_event_time", "timestamp"),
        ("p_any_ip_addresses", "array<string>"),
    )
    assert found["TableType"] == "EXTERNAL_TABLE"
    assert found["Parameters"] == {"EXTERNAL": "TRUE", "classification": "parquet"}
    assert [(key["Name"], key["Type"]) for key in found["PartitionKeys"]] == [
        (name, "string") for name in ("year", "month", "day", "hour")
    ]
    storage = found["StorageDescriptor"]
    assert storage["Location"] == ROOT
    assert storage["SerdeInfo"]["SerializationLibrary"].endswith("parquet.serde.ParquetHiveSerDe")
    assert storage["Columns"][0] == {"Name": "eventname", "Type": "string", "Comment": "What was called"}


def test_a_table_that_is_right_is_not_written(glue: GlueCatalog, client: GlueClient) -> None:
    table = ensure(glue)
    with calls(client) as seen:
        assert ensure(glue) == table
    assert seen == ["GetTable"]


def test_new_columns_come_last_and_old_ones_stay(glue: GlueCatalog, client: GlueClient) -> None:
    ensure(glue)
    newer = pa.schema([("errorCode", pa.string()), SCHEMA.field("eventName")])
    table = ensure(glue, newer)
    names = ["eventname", "p_event_time", "p_any_ip_addresses", "errorcode"]
    assert [name for name, _ in table.columns] == names
    assert [name for name, _ in columns(glue, client)] == names
    with calls(client) as seen:
        assert ensure(glue, SCHEMA) == table  # an older version of iota takes nothing away
    assert seen == ["GetTable"]


def test_what_others_keep_in_a_table_stays(glue: GlueCatalog, client: GlueClient) -> None:
    ensure(glue)
    theirs = {key: value for key, value in described(glue, client).items() if key in ("Name", "PartitionKeys")}
    storage = described(glue, client)["StorageDescriptor"] | {"Parameters": {"averageRecordSize": "7"}}
    storage["Columns"] = storage["Columns"][1:]
    theirs |= {"Owner": "finance", "Parameters": {"has_encrypted_data": "true"}, "StorageDescriptor": storage}
    client.update_table(DatabaseName=glue.database, TableInput=theirs)  # type: ignore[arg-type]
    table = ensure(glue)
    found = described(glue, client)
    assert found["Owner"] == "finance"
    assert found["Parameters"] == {"has_encrypted_data": "true", "EXTERNAL": "TRUE", "classification": "parquet"}
    assert found["StorageDescriptor"]["Parameters"] == {"averageRecordSize": "7"}
    assert table.columns[-1] == ("eventname", "string")


def test_a_changed_type_is_an_error_that_names_table_and_column(glue: GlueCatalog, client: GlueClient) -> None:
    ensure(glue)
    with (
        calls(client) as seen,
        pytest.raises(IotaError, match=rf"{glue.database}.events: column eventname is string there and bigint") as told,
    ):
        ensure(glue, pa.schema([("eventName", pa.int64())]))
    assert not told.value.retry_helps
    assert seen == ["GetTable"]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("userAgent", "useragent"), "column useragent and column userAgent are one name in Glue"),
        (("Hour",), "column Hour and the partition key hour are one name"),
    ],
)
def test_columns_that_differ_by_case_only_are_an_error(glue: GlueCatalog, names: tuple[str, ...], text: str) -> None:
    with pytest.raises(IotaError, match=f"events: {text}"):
        ensure(glue, pa.schema([(name, pa.string()) for name in names]))


def test_a_type_that_hive_lacks_is_an_error_that_names_its_column(glue: GlueCatalog) -> None:
    with pytest.raises(IotaError, match="events: column size: uint64 has no Hive type"):
        ensure(glue, pa.schema([("size", pa.uint64())]))


def test_a_table_of_somebody_else_is_left_alone(glue: GlueCatalog, client: GlueClient) -> None:
    glue.ensure_database()
    keys: Any = [{"Name": "dt", "Type": "date"}]
    client.create_table(DatabaseName=glue.database, TableInput={"Name": "events", "PartitionKeys": keys})
    with pytest.raises(IotaError, match="is not iota's: it is partitioned by dt date"):
        ensure(glue)


def test_every_lake_table_fits_into_glue(glue: GlueCatalog) -> None:
    for name, schema in lake_tables().items():
        table = glue.ensure_table(name, schema, ROOT, "")
        assert [column for column, _ in table.columns] == [column.lower() for column in schema.names]


@pytest.mark.parametrize(
    ("kind", "hive"),
    [
        (pa.int32(), "int"),
        (pa.float64(), "double"),
        (pa.bool_(), "boolean"),
        (pa.timestamp("ms"), "timestamp"),
        (pa.decimal128(20, 2), "decimal(20,2)"),
        (pa.binary(16), "binary"),
        (pa.dictionary(pa.int32(), pa.string()), "string"),
        (pa.map_(pa.string(), pa.list_(pa.int64())), "map<string,array<bigint>>"),
        (pa.struct([("Name", pa.string()), ("size", pa.int64())]), "struct<name:string,size:bigint>"),
        (pa.large_list(pa.large_string()), "array<string>"),
    ],
)
def test_arrow_types_have_hive_names(kind: pa.DataType, hive: str) -> None:
    assert hive_type(kind) == hive


names = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(names, names)
def test_columns_only_ever_grow_at_the_end(old: list[str], new: list[str]) -> None:
    found = [{"Name": name, "Type": "string"} for name in old]
    wanted = hive_columns("events", pa.schema([(name, pa.string()) for name in new]))
    merged = [item["Name"] for item in more_columns("events", found, wanted)]
    assert merged[: len(old)] == old
    assert merged[len(old) :] == [name for name in new if name not in old]


# ── others at work ──


def test_many_processes_make_the_same_table_at_once(glue: GlueCatalog) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: ensure(glue), range(8)))) == 1


def test_a_table_made_by_a_neighbour_meanwhile_is_taken(aws: Aws, glue: GlueCatalog, client: GlueClient) -> None:
    neighbour = GlueCatalog(aws.clients.glue(), glue.database)
    older = pa.schema([SCHEMA.field("p_event_time")])
    with calls(client, once("CreateTable", lambda: ensure(neighbour, older))):
        table = ensure(glue)
    assert [name for name, _ in table.columns] == ["p_event_time", "eventname", "p_any_ip_addresses"]


def test_an_update_that_a_neighbour_was_faster_with_is_begun_again(
    aws: Aws, glue: GlueCatalog, client: GlueClient
) -> None:
    ensure(glue)
    neighbour = GlueCatalog(aws.clients.glue(), glue.database)
    theirs = pa.schema([*SCHEMA, ("theirs", pa.string())])
    refuse = failing("ConcurrentModificationException", "UpdateTable", times=1)
    versions = []

    def interfere(name: str, params: dict[str, Any]) -> Any:
        if name == "UpdateTable":
            versions.append('"VersionId"' in params["body"].decode())
            ensure(neighbour, theirs)
        return refuse(name, params)

    with calls(client, interfere):
        table = ensure(glue, pa.schema([*SCHEMA, ("ours", pa.string())]))
    assert [name for name, _ in table.columns][-2:] == ["theirs", "ours"]
    assert versions == [True, True]


def test_neighbours_that_never_stop_are_an_outage(
    glue: GlueCatalog, client: GlueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iota_dagster.core.aws.glue._FIRST_PAUSE", 0)
    with (
        calls(client, failing("ConcurrentModificationException", "CreateTable")),
        pytest.raises(Outage, match=rf"{glue.database}.events: others keep changing it"),
    ):
        ensure(glue)


# ── partitions ──


def test_partitions_are_made_in_batches_and_point_to_their_locations(glue: GlueCatalog, client: GlueClient) -> None:
    table = ensure(glue)
    wanted = {TEN + number: location(TEN + number) for number in range(250)}
    with calls(client) as seen:
        written = glue.put_partitions(table, wanted)
    assert written.created == set(wanted)
    assert not written.updated
    assert seen == ["BatchGetPartition", *["BatchCreatePartition"] * 3]
    assert glue.partitions("events", [*wanted, TEN - 1]) == wanted
    values = ["2026", "11", "22", "10"]
    found = client.get_partition(DatabaseName=glue.database, TableName="events", PartitionValues=values)["Partition"]
    storage = found["StorageDescriptor"]
    assert storage["Columns"] == [{"Name": name, "Type": kind} for name, kind in table.columns]
    assert storage["SerdeInfo"]["SerializationLibrary"].endswith("ParquetHiveSerDe")


def test_registering_again_writes_nothing_and_only_what_differs_is_updated(
    glue: GlueCatalog, client: GlueClient
) -> None:
    table = ensure(glue)
    wanted = {TEN + number: location(TEN + number) for number in range(120)}
    glue.put_partitions(table, wanted)
    with calls(client) as seen:
        glue.put_partitions(table, wanted)
    assert seen == ["BatchGetPartition"]
    moved = wanted | {TEN + 3: location(TEN + 3, 1), TEN + 120: location(TEN + 120)}
    written = glue.put_partitions(table, moved)
    assert (written.created, written.updated) == ({TEN + 120}, {TEN + 3})
    assert glue.partitions("events", moved) == moved


def test_a_partition_gets_the_columns_that_its_table_got(glue: GlueCatalog) -> None:
    glue.put_partitions(ensure(glue), {TEN: location(TEN)})
    newer = ensure(glue, pa.schema([*SCHEMA, ("errorCode", pa.string())]))
    assert glue.put_partitions(newer, {TEN: location(TEN)}).updated == {TEN}
    assert not glue.put_partitions(newer, {TEN: location(TEN)}).updated


def test_more_partitions_than_one_call_takes_are_made_by_several(glue: GlueCatalog, client: GlueClient) -> None:
    wanted = {TEN + number: location(TEN + number) for number in range(1_001)}
    table = ensure(glue, pa.schema([("a", pa.string())]))
    with calls(client) as seen:
        assert len(glue.put_partitions(table, wanted).created) == 1_001
    assert seen.count("BatchGetPartition") == 2
    assert seen.count("BatchCreatePartition") == 11
    assert glue.partitions("events", wanted) == wanted


def test_a_partition_that_a_neighbour_made_meanwhile_is_brought_to_ours(
    aws: Aws, glue: GlueCatalog, client: GlueClient
) -> None:
    table = ensure(glue)
    neighbour = GlueCatalog(aws.clients.glue(), glue.database)
    theirs = {TEN: location(TEN), TEN + 1: location(TEN + 1)}
    with calls(client, once("BatchCreatePartition", lambda: neighbour.put_partitions(table, theirs))):
        written = glue.put_partitions(table, {TEN: location(TEN, 1), TEN + 1: location(TEN + 1), TEN + 2: "s3://b/c/"})
    assert (written.created, written.updated) == ({TEN + 2}, {TEN})
    assert glue.partitions("events", theirs) == {TEN: location(TEN, 1), TEN + 1: location(TEN + 1)}


def test_a_partition_that_was_dropped_meanwhile_is_made_anew(glue: GlueCatalog, client: GlueClient) -> None:
    table = ensure(glue)
    glue.put_partitions(table, {TEN: location(TEN)})

    def drop() -> None:
        values = ["2026", "11", "22", "10"]
        client.delete_partition(DatabaseName=glue.database, TableName="events", PartitionValues=values)

    with calls(client, once("BatchUpdatePartition", drop)):
        assert glue.put_partitions(table, {TEN: location(TEN, 1)}).created == {TEN}
    assert glue.partitions("events", [TEN]) == {TEN: location(TEN, 1)}


def test_keys_that_glue_left_unprocessed_are_asked_for_again(glue: GlueCatalog, client: GlueClient) -> None:
    table = ensure(glue)
    wanted = {TEN: location(TEN), TEN + 1: location(TEN + 1)}
    glue.put_partitions(table, wanted)
    keys = [{"Values": ["2026", "11", "22", hour]} for hour in ("10", "11")]
    answers = [(SimpleNamespace(status_code=200), {"Partitions": [], "UnprocessedKeys": keys})]
    with calls(client, lambda name, params: answers.pop() if answers else None) as seen:
        assert glue.partitions("events", wanted) == wanted
    assert seen == ["BatchGetPartition"] * 2
    nothing = SimpleNamespace(status_code=200), {"Partitions": [], "UnprocessedKeys": keys}
    with calls(client, lambda name, params: nothing), pytest.raises(Outage, match="2 partitions stay unread"):
        glue.partitions("events", wanted)


# ── refusals and outages ──


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("OperationTimeoutException", 400),
        ("ExpiredTokenException", 400),
        ("SomethingNew", 503),
        ("EntityNotFoundException", 400),  # the table was dropped meanwhile: the next try makes it anew
    ],
)
def test_what_waiting_helps_against_is_an_outage(
    glue: GlueCatalog, client: GlueClient, monkeypatch: pytest.MonkeyPatch, code: str, status: int
) -> None:
    monkeypatch.setattr("iota_dagster.core.aws.glue._FIRST_PAUSE", 0)
    table = ensure(glue)
    with (
        calls(client, failing(code, "BatchGetPartition", status)),
        pytest.raises(Outage, match=rf"{glue.database}.events"),
    ):
        glue.put_partitions(table, {TEN: location(TEN)})


def test_no_answer_is_an_outage(glue: GlueCatalog, client: GlueClient) -> None:
    def unreachable(name: str, params: dict[str, Any]) -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")

    with calls(client, unreachable), pytest.raises(Outage, match=f"database {glue.database}.*127.0.0.1:9"):
        glue.ensure_database()


def test_a_missing_permission_is_named(glue: GlueCatalog, client: GlueClient) -> None:
    with (
        calls(client, failing("AccessDeniedException", "CreateTable")),
        pytest.raises(
            IotaError, match=rf"{glue.database}.events: CreateTable.*Allow iota's own role glue:CreateTable"
        ) as told,
    ):
        ensure(glue)
    assert not isinstance(told.value, Outage)


@pytest.mark.parametrize(
    ("code", "text"),
    [("ResourceNumberLimitExceededException", "higher quota"), ("InvalidInputException", "as the test wants it")],
)
def test_another_refusal_says_what_glue_said(glue: GlueCatalog, client: GlueClient, code: str, text: str) -> None:
    with calls(client, failing(code, "CreateTable")), pytest.raises(IotaError, match=text) as told:
        ensure(glue)
    assert not told.value.retry_helps


def test_one_partition_that_is_refused_is_an_error(glue: GlueCatalog, client: GlueClient) -> None:
    table = ensure(glue)
    detail = {"ErrorCode": "AccessDeniedException", "ErrorMessage": "no grant"}
    refused = {"Errors": [{"PartitionValues": ["2026", "11", "22", "10"], "ErrorDetail": detail}]}

    def hook(name: str, params: dict[str, Any]) -> Any:
        return (SimpleNamespace(status_code=200), refused) if name == "BatchCreatePartition" else None

    with calls(client, hook), pytest.raises(IotaError, match=r"no grant\. Allow iota's own role glue:BatchCreate"):
        glue.put_partitions(table, {TEN: location(TEN)})
