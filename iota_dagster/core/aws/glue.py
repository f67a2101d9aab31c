"""The Glue Data Catalog: one external Parquet table per lake table, one partition per event hour.

Everything here may be done twice, and by several processes at once: each change starts from what Glue says at that
moment, and whoever finds that a neighbour was faster looks again. What is right already is not written.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError

from iota_dagster.core.aws import hive
from iota_dagster.core.errors import IotaError, Outage
from iota_dagster.core.hours import Hour
from iota_dagster.core.store.database import chunked

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import PartitionErrorTypeDef, PartitionValueListTypeDef

READ_AT_ONCE, WRITE_AT_ONCE, DROP_AT_ONCE = 1_000, 100, 25
"""Partitions in one call: Glue takes no more."""
ROUNDS = 8
"""How often a change is tried again because somebody else changed the same thing."""
_FIRST_PAUSE = 0.02
"""Seconds at most before the second round; each further pause is twice as long."""

# Of what `GetTable` says, what `UpdateTable` takes: the rest is Glue's own.
_TABLE_INPUT = (
    *("Name", "Description", "Owner", "LastAccessTime", "LastAnalyzedTime", "Retention"),
    *("StorageDescriptor", "PartitionKeys", "TableType", "Parameters"),
)
_BUSY = {"ConcurrentModificationException", "ResourceNotReadyException", "AlreadyExistsException"}
_OUTAGES = {
    *("ThrottlingException", "ThrottledException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"),
    *("InternalServiceException", "InternalFailure", "OperationTimeoutException", "ServiceUnavailable"),
    *("FederationSourceRetryableException", "ExpiredTokenException", "ExpiredToken", "RequestExpired"),
}
_DENIED = {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"}
_Answer = TypeVar("_Answer")


class _Busy(Outage):
    """Somebody else is changing the same thing."""


class _Absent(Outage):
    """The database, the table or a partition is not there (any more)."""


@dataclass(frozen=True, slots=True)
class GlueTable:
    """A table as Glue has it, its columns in Glue's order."""

    name: str
    columns: hive.Columns


@dataclass(slots=True)
class Written:
    """The hours whose partitions were made, and those whose partitions were changed."""

    created: set[Hour] = field(default_factory=set)
    updated: set[Hour] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Partition:
    """What matters of a partition."""

    location: str
    columns: hive.Columns


class GlueCatalog:
    """One Glue database, with our own credentials.

    Every method raises `Outage` when Glue does not answer or others keep interfering, and `IotaError` with what to do
    when it refuses. Safe to share by threads.
    """

    def __init__(self, client: GlueClient, database: str) -> None:
        """Nothing is connected yet."""
        self._client, self.database = client, database

    def ensure_database(self) -> None:
        """Make the database where there is none."""
        with suppress(_Absent), self._faults():
            self._client.get_database(Name=self.database)
            return
        with suppress(_Busy), self._faults():  # busy: somebody else is just making it
            self._client.create_database(
                DatabaseInput={"Name": self.database, "Description": "The security lake that iota writes."}
            )

    def ensure_table(self, name: str, schema: pa.Schema, location: str, description: str) -> GlueTable:
        """Make the table, or add to it the columns it lacks, at the end; the table as it is then.

        `location` is the folder above the hours' folders. No column is ever removed. `IotaError` when a column has
        another type in Glue, when two differ by case only, or when the table is not one of ours.
        """
        wanted = hive.table_input(name, schema, location, description)
        return self._settled(name, lambda: self._agree(wanted))

    def _agree(self, wanted: dict[str, Any]) -> GlueTable | None:
        """The table if Glue has it as it must be; else bring it there and return None: look again."""
        name = wanted["Name"]
        with suppress(_Absent), self._faults(name):
            found: Mapping[str, Any] = self._client.get_table(DatabaseName=self.database, Name=name)["Table"]
            old = {key: found[key] for key in _TABLE_INPUT if key in found}
            new = self._merged(old, wanted)
            if new == old:
                return GlueTable(name, hive.columns_of(old["StorageDescriptor"]))
            # With its version, Glue refuses the update if somebody else was faster.
            version: Any = {"VersionId": found["VersionId"]} if "VersionId" in found else {}
            self._client.update_table(DatabaseName=self.database, TableInput=cast(Any, new), **version)
            return None
        self.ensure_database()
        with self._faults(name):
            self._client.create_table(DatabaseName=self.database, TableInput=cast(Any, wanted))
        return None

    def _merged(self, found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
        """The table as it must become; what others keep in it stays."""
        name = f"{self.database}.{wanted['Name']}"
        keys = [(item["Name"], item.get("Type")) for item in found.get("PartitionKeys", [])]
        if keys != [(item["Name"], item["Type"]) for item in hive.PARTITION_KEYS]:
            shown = ", ".join(f"{key} {kind}" for key, kind in keys) or "nothing"
            raise IotaError(
                f"the Glue table {name} is not iota's: it is partitioned by {shown}. Choose another glue_database, or "
                "drop that table if nobody needs it"
            )
        merged = hive.laid_over(found, {**wanted, "PartitionKeys": found["PartitionKeys"]})
        columns = hive.more_columns(
            name, found.get("StorageDescriptor", {}).get("Columns", []), wanted["StorageDescriptor"]["Columns"]
        )
        return merged | {"StorageDescriptor": merged["StorageDescriptor"] | {"Columns": columns}}

    def partitions(self, table: str, hours: Iterable[Hour]) -> dict[Hour, str]:
        """Where the partitions of some hours point to; an hour without one is left out."""
        return {
            hour: partition.location
            for chunk in chunked(hours, READ_AT_ONCE)
            for hour, partition in self._read(table, chunk).items()
        }

    def put_partitions(self, table: GlueTable, locations: Mapping[Hour, str]) -> Written:
        """Let the partition of each hour point to its location; what had to be written for that.

        A partition has columns of its own, by which an engine reads it: they are made the table's.
        """
        written = Written()
        for chunk in chunked(locations.items(), READ_AT_ONCE):
            wanted = {hour: _Partition(location, table.columns) for hour, location in chunk}

            def attempt(left: dict[Hour, _Partition] = wanted) -> bool | None:
                return self._put(table.name, left, written) or None

            self._settled(table.name, attempt)
        return written

    def drop_partitions(self, table: str, hours: Iterable[Hour]) -> set[Hour]:
        """Remove the partitions of some hours, their files aside; those that were there."""
        dropped: set[Hour] = set()
        for chunk in chunked(hours, READ_AT_ONCE):
            with suppress(_Absent):  # the table itself is not there
                for part in chunked(sorted(self._read(table, chunk)), DROP_AT_ONCE):
                    self._drop(table, part)
                    dropped.update(part)
        return dropped

    def _drop(self, table: str, hours: Sequence[Hour]) -> None:
        values: list[PartitionValueListTypeDef] = [{"Values": list(hive.partition_values(hour))} for hour in hours]
        with self._faults(table):
            answer = self._client.batch_delete_partition(
                DatabaseName=self.database, TableName=table, PartitionsToDelete=values
            )
        errors: list[PartitionErrorTypeDef] = answer.get("Errors", [])
        failed = {tuple(item["PartitionValues"]): item for item in errors}
        self._succeeded(table, "BatchDeletePartition", hours, failed)

    def _put(self, table: str, left: dict[Hour, _Partition], written: Written) -> bool:
        """Write what differs and take what is right out of `left`; whether nothing is left."""
        found = self._read(table, list(left))
        for hour in [hour for hour, partition in found.items() if partition == left[hour]]:
            del left[hour]
        inputs = {hour: hive.partition_input(hour, item.location, item.columns) for hour, item in left.items()}
        for part in chunked(inputs.keys() - found.keys(), WRITE_AT_ONCE):
            written.created |= self._create(table, {hour: inputs[hour] for hour in part})
        for part in chunked(inputs.keys() & found.keys(), WRITE_AT_ONCE):
            written.updated |= self._update(table, {hour: inputs[hour] for hour in part})
        for hour in inputs.keys() & (written.created | written.updated):
            del left[hour]
        return not left

    def _read(self, table: str, hours: Sequence[Hour]) -> dict[Hour, _Partition]:
        hour_of = {hive.partition_values(hour): hour for hour in hours}
        left: list[tuple[str, ...]] = list(hour_of)
        found: dict[Hour, _Partition] = {}
        for _ in range(ROUNDS):
            if not left:
                return found
            with self._faults(table):
                answer = self._client.batch_get_partition(
                    DatabaseName=self.database, TableName=table, PartitionsToGet=[{"Values": item} for item in left]
                )
            for item in answer.get("Partitions", []):
                storage = item["StorageDescriptor"]
                partition = _Partition(storage.get("Location", ""), hive.columns_of(storage))
                found[hour_of[tuple(item["Values"])]] = partition
            left = [tuple(item["Values"]) for item in answer.get("UnprocessedKeys", [])]
        raise Outage(f"Glue, {self._named(table)}: {len(left)} partitions stay unread")

    def _create(self, table: str, inputs: Mapping[Hour, Any]) -> set[Hour]:
        with self._faults(table):
            answer = self._client.batch_create_partition(
                DatabaseName=self.database, TableName=table, PartitionInputList=list(inputs.values())
            )
        errors: list[PartitionErrorTypeDef] = answer.get("Errors", [])
        failed = {tuple(item["PartitionValues"]): item for item in errors}
        return self._succeeded(table, "BatchCreatePartition", inputs, failed)

    def _update(self, table: str, inputs: Mapping[Hour, Any]) -> set[Hour]:
        with self._faults(table):
            answer = self._client.batch_update_partition(
                DatabaseName=self.database,
                TableName=table,
                Entries=[{"PartitionValueList": item["Values"], "PartitionInput": item} for item in inputs.values()],
            )
        failed = {tuple(item["PartitionValueList"]): item for item in answer.get("Errors", [])}
        return self._succeeded(table, "BatchUpdatePartition", inputs, failed)

    def _succeeded(
        self, table: str, operation: str, hours: Iterable[Hour], failed: Mapping[tuple[str, ...], Any]
    ) -> set[Hour]:
        """The hours that were written. Not those where somebody else was faster; any other failure is raised."""
        for item in failed.values():
            detail = item.get("ErrorDetail", {})
            error = self._in_our_words(detail.get("ErrorCode", ""), detail.get("ErrorMessage", ""), operation, table)
            if not isinstance(error, _Busy | _Absent):
                raise error
        return {hour for hour in hours if hive.partition_values(hour) not in failed}

    def _settled(self, table: str, attempt: Callable[[], _Answer | None]) -> _Answer:
        """The first answer of an attempt that nobody interfered with."""
        why: Outage | None = None
        for number in range(ROUNDS):
            try:
                answer = attempt()
            except (_Busy, _Absent) as error:
                why = error
                time.sleep(random.uniform(0, _FIRST_PAUSE * 2**number))
            else:
                if answer is not None:
                    return answer
        raise Outage(f"Glue, {self._named(table)}: others keep changing it" + (f": {why}" if why else "")) from why

    @contextmanager
    def _faults(self, table: str | None = None) -> Iterator[None]:
        """The service's errors in our words."""
        try:
            yield
        except ClientError as error:
            said: Mapping[str, Any] = error.response
            status = said.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            code, message = said.get("Error", {}).get("Code", ""), said.get("Error", {}).get("Message", "")
            known = "InternalFailure" if status >= 500 else code
            raise self._in_our_words(known, message, error.operation_name, table) from error
        except BotoCoreError as error:
            raise Outage(f"Glue, {self._named(table)}: {error}") from error

    def _in_our_words(self, code: str, message: str, operation: str, table: str | None) -> IotaError:
        text = f"Glue, {self._named(table)}: {operation}: {code}: {message}".rstrip(": ")
        if code in _BUSY:
            return _Busy(text)
        if code == "EntityNotFoundException":
            return _Absent(text)
        if code in _OUTAGES:
            return Outage(text)
        if code in _DENIED:
            return IotaError(
                f"{text}. Allow iota's own role glue:{operation} on the catalog, on the database {self.database} and "
                "on its tables; where Lake Formation governs them, grant it there too"
            )
        if code == "ResourceNumberLimitExceededException":
            return IotaError(f"{text}. Ask AWS for a higher quota of the Data Catalog")
        return IotaError(text)

    def _named(self, table: str | None) -> str:
        return f"{self.database}.{table}" if table else f"database {self.database}"
