"""A lake table in the words of Hive, which Glue and Athena speak: column types, Parquet SerDe, partition values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from iota_dagster.core.errors import IotaError
from iota_dagster.core.hours import Hour, hour_folder

Columns = tuple[tuple[str, str], ...]
"""Names, in lower case, with their Hive types."""
PARTITION_KEYS = [{"Name": name, "Type": "string"} for name in ("year", "month", "day", "hour")]
LONGEST_COMMENT = 255
PARQUET: Mapping[str, Any] = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "Parameters": {"serialization.format": "1"},
    },
}
_SCALARS: Mapping[pa.DataType, str] = {
    pa.string(): "string",
    pa.large_string(): "string",
    pa.binary(): "binary",
    pa.large_binary(): "binary",
    pa.bool_(): "boolean",
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.date32(): "date",
}
_FAMILIES: Sequence[tuple[Callable[[pa.DataType], bool], Callable[[Any], str]]] = (
    (pa.types.is_timestamp, lambda kind: "timestamp"),
    (pa.types.is_decimal128, lambda kind: f"decimal({kind.precision},{kind.scale})"),
    (pa.types.is_fixed_size_binary, lambda kind: "binary"),
    (pa.types.is_dictionary, lambda kind: hive_type(kind.value_type)),
    (pa.types.is_list, lambda kind: f"array<{hive_type(kind.value_type)}>"),
    (pa.types.is_large_list, lambda kind: f"array<{hive_type(kind.value_type)}>"),
    (pa.types.is_map, lambda kind: f"map<{hive_type(kind.key_type)},{hive_type(kind.item_type)}>"),
    (
        pa.types.is_struct,
        lambda kind: "struct<" + ",".join(f"{item.name.lower()}:{hive_type(item.type)}" for item in kind) + ">",
    ),
)


def hive_type(kind: pa.DataType) -> str:
    """The Hive type of an Arrow type as Parquet stores it; `ValueError` where Hive has none (unsigned numbers, …)."""
    if kind in _SCALARS:
        return _SCALARS[kind]
    for belongs, spell in _FAMILIES:
        if belongs(kind):
            return spell(kind)
    raise ValueError(f"{kind} has no Hive type")


def hive_columns(table: str, schema: pa.Schema) -> list[dict[str, str]]:
    """A schema's columns as Glue takes them, with the fields' metadata `description` as comments.

    Glue keeps names in lower case, and Athena reads Parquet whatever the case. `IotaError` when two columns differ by
    case only, when one is called as a partition key, or when a type has no equal in Hive.
    """
    taken = {item["Name"]: f"the partition key {item['Name']}" for item in PARTITION_KEYS}
    columns = []
    for field in schema:
        name = field.name.lower()
        if name in taken:
            raise IotaError(f"{table}: column {field.name} and {taken[name]} are one name in Glue: rename the column")
        taken[name] = f"column {field.name}"
        columns.append({"Name": name, "Type": _column_type(table, field), **_comment(field)})
    return columns


def _column_type(table: str, field: pa.Field[Any]) -> str:
    try:
        return hive_type(field.type)
    except ValueError as error:
        raise IotaError(f"{table}: column {field.name}: {error}: give it another type in the table's schema") from None


def _comment(field: pa.Field[Any]) -> dict[str, str]:
    text = (field.metadata or {}).get(b"description", b"").decode()
    return {"Comment": text[:LONGEST_COMMENT]} if text else {}


def more_columns(
    table: str, found: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, str]]
) -> list[dict[str, Any]]:
    """The columns found, in their order, then those of the wanted ones that are new; comments as wanted.

    `IotaError` where a column has another type.
    """
    ours = {item["Name"]: item for item in wanted}
    for item in found:
        name, kind = item["Name"], item.get("Type", "")
        if name in ours and _plain(kind) != ours[name]["Type"]:
            raise IotaError(
                f"the Glue table {table}: column {name} is {kind} there and {ours[name]['Type']} in the lake. A "
                "column's type cannot change: drop the Glue table (its files stay) and every hour is registered anew"
            )
    known = {item["Name"] for item in found}
    return [
        *({**item, **ours.get(item["Name"], {})} for item in found),
        *(dict(item) for item in wanted if item["Name"] not in known),
    ]


def _plain(kind: str) -> str:
    return kind.lower().replace(" ", "")


def storage(location: str, columns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A storage descriptor of Parquet files."""
    return {"Columns": [dict(item) for item in columns], "Location": location, **PARQUET}


def table_input(name: str, schema: pa.Schema, location: str, description: str) -> dict[str, Any]:
    """An external Parquet table, partitioned by the hour."""
    return {
        "Name": name,
        "Description": description,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "PartitionKeys": PARTITION_KEYS,
        "StorageDescriptor": storage(location, hive_columns(name, schema)),
    }


def partition_input(hour: Hour, location: str, columns: Columns) -> dict[str, Any]:
    """An hour's partition. Its columns carry no comments: a year of them would be megabytes."""
    plain = [{"Name": name, "Type": kind} for name, kind in columns]
    return {"Values": list(partition_values(hour)), "StorageDescriptor": storage(location, plain)}


def partition_values(hour: Hour) -> tuple[str, ...]:
    """An hour as the partition keys' values: `("2026", "11", "22", "10")`."""
    return tuple(part.partition("=")[2] for part in hour_folder(hour).split("/"))


def columns_of(descriptor: Mapping[str, Any]) -> Columns:
    """A storage descriptor's names and types."""
    return tuple((item["Name"], item.get("Type", "")) for item in descriptor.get("Columns", []))


def laid_over(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What was found with the wanted values put over it, structure by structure: what only others set stays."""
    merged = dict(found)
    for name, value in wanted.items():
        old = found.get(name)
        merged[name] = laid_over(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged
