"""Is the lake right? Three checks on each of its tables, by suites derived from their schemas, and the accounting.

Hours are looked at that have changed since the last look and rest, and those that are known to be wrong. A check that
fails is an alert, too; it stops nothing. What only a look needs is imported by it: every run loads this module.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import dagster as dg

from iota_dagster.core.errors import Outage
from iota_dagster.core.hours import hour_key
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.quality.checks import AccountCheck, Check
from iota_dagster.defs.figures import Cell, Figures, numbers, table
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import waiting_out_outages
from iota_dagster.defs.telling import telling_after

if TYPE_CHECKING:
    from iota_dagster.core.quality.accounting import HourAccount
    from iota_dagster.core.quality.results import HourQuality
    from iota_dagster.quality.great import GreatExpectations
    from iota_dagster.quality.look import AccountsLook, TablesLook

ROWS = 100
_DESCRIPTIONS = {
    Check.LEDGER: "Its files are whole, and hold the rows that the ledger says.",
    Check.COLUMNS: "Every column of its files has the type that the table's schema declares.",
    Check.EVENTS: "No row is there twice or lies in a wrong hour; what has to have a value has one.",
}
SPECS = [
    dg.AssetCheckSpec(check.value, asset=name, description=_DESCRIPTIONS[check])
    for name in lake_tables()
    for check in Check
]


@dg.multi_asset_check(specs=SPECS, can_subset=True, name="lake_quality")
def lake_quality(context: dg.AssetCheckExecutionContext, platform: PlatformResource) -> Iterator[dg.AssetCheckResult]:
    """Look at the tables' hours; a table none of whose hours was looked at keeps its last result."""
    from iota_dagster.quality.great import GreatExpectations
    from iota_dagster.quality.look import look_at_tables

    opened, keys = platform.platform, context.selected_asset_check_keys
    engine = GreatExpectations(opened.state, opened.settings.scratch)
    with telling_after(context.log, opened.road), waiting_out_outages():
        look = look_at_tables(opened, engine, {key.asset_key.to_user_string() for key in keys}, opened.road.clock())
    yield from table_results(look, keys, _data_docs(context.log, engine))


def _data_docs(log: dg.DagsterLogManager, engine: "GreatExpectations") -> Figures:
    """Where the Data Docs are, or why not: the hours are noted as looked at, and another try would have no results."""
    try:
        page = engine.write_docs()
    except (Outage, OSError) as error:
        log.warning(f"the Data Docs stay those of an earlier look: {error}")
        return {"data_docs_not_written": dg.MetadataValue.text(str(error))}
    return {"data_docs": dg.MetadataValue.path(page)} if page else {}


def table_results(
    look: "TablesLook", keys: Iterable[dg.AssetCheckKey], more: Figures | None = None
) -> Iterator[dg.AssetCheckResult]:
    """What a look says of some checks, and `more` beside it. Nothing of a table that it did not look at.

    An hour that is gone was looked at, too: if it alone was wrong, its table's checks pass again.
    """
    tables = {name for name, _ in look.looked}
    for key in sorted(keys):
        name = key.asset_key.to_user_string()
        if name in tables:
            yield _table_result(look, name, Check(key.name), more or {})


def _table_result(look: "TablesLook", name: str, check: Check, more: Figures) -> dg.AssetCheckResult:
    hours = [item for item in look.hours if item.table == name]
    failed = [item for item in hours if item.failed(check)]
    still_wrong = [hour for (other, hour), checks in look.still_wrong.items() if other == name and check in checks]
    values = {
        "hours": len(hours),
        "hours_failed": len(failed),
        "hours_known_to_be_wrong": len(still_wrong),
        "rows": sum(item.rows for item in hours),
        "rows_examined": sum(item.examined for item in hours),
        "batches_not_brought_back": sum(item.not_brought_back for item in hours),
        "hours_waiting": look.waiting[name],
    }
    metadata = numbers(values) | table("failures", _failures(failed, check), ROWS) | _samples(failed, check) | more
    return dg.AssetCheckResult(
        asset_key=name, check_name=check.value, passed=not failed and not still_wrong, metadata=metadata
    )


def _failures(failed: Iterable["HourQuality"], check: Check) -> Iterator[Mapping[str, Cell]]:
    for item in failed:
        for result in item.failed(check):
            yield {"hour": hour_key(item.hour), "expectation": result.expectation, "values": result.unexpected}


def _samples(failed: Iterable["HourQuality"], check: Check) -> Figures:
    rows: Iterator[Mapping[str, Cell]] = (
        {
            "hour": hour_key(item.hour),
            "expectation": result.expectation,
            "subject": sample.subject,
            "value": sample.value,
        }
        for item in failed
        for result in item.failed(check)
        for sample in result.samples
    )
    return table("samples", rows, ROWS)


_ACCOUNTS = [
    dg.AssetCheckSpec(
        AccountCheck.RECORDS.value,
        asset="events",
        description="Every record of a done object is a row, a duplicate, or in quarantine.",
    ),
    dg.AssetCheckSpec(
        AccountCheck.ROWS.value,
        asset="lake",
        description="The lake has the rows of every done object that the ledger says.",
    ),
]


@dg.multi_asset_check(specs=_ACCOUNTS, name="accounting")
def accounting(context: dg.AssetCheckExecutionContext, platform: PlatformResource) -> Iterator[dg.AssetCheckResult]:
    """Hold the ledger's accounting of the delivery hours against itself, and against the lake."""
    from iota_dagster.quality.look import look_at_accounts

    opened = platform.platform
    with telling_after(context.log, opened.road), waiting_out_outages():
        look = look_at_accounts(opened, opened.road.clock())
    yield from account_results(look)


def account_results(look: "AccountsLook") -> Iterator[dg.AssetCheckResult]:
    """What a look says of both checks."""
    wrong = {check: [item for item in look.hours if check in item.failed] for check in AccountCheck}
    unbalanced, astray = wrong[AccountCheck.RECORDS], wrong[AccountCheck.ROWS]
    found = {
        AccountCheck.RECORDS: ("events", table("out_of_balance", _unbalanced(unbalanced), ROWS)),
        AccountCheck.ROWS: ("lake", table("astray", _astray(astray), ROWS) | table("unread", _unread(astray), ROWS)),
    }
    for check, (asset, figures) in found.items():
        still_wrong = [hour for hour, checks in look.still_wrong.items() if check in checks]
        yield dg.AssetCheckResult(
            asset_key=asset,
            check_name=check.value,
            passed=not wrong[check] and not still_wrong,
            metadata=numbers(_totals(look, len(still_wrong))) | figures,
        )


def _totals(look: "AccountsLook", known: int) -> dict[str, int]:
    names = ("objects", "records", "rows", "duplicates", "quarantined")
    sums = {name: sum(item.totals[name] for item in look.hours) for name in names}
    return {
        "hours": len(look.hours),
        "hours_known_to_be_wrong": known,
        "hours_waiting": look.waiting,
        "batches_not_brought_back": sum(item.not_brought_back for item in look.hours),
        **sums,
    }


def _unbalanced(hours: Iterable["HourAccount"]) -> Iterator[Mapping[str, Cell]]:
    for item in hours:
        for one in item.unbalanced:
            yield {
                "delivery_hour": item.name,
                "object": f"{one.bucket}/{one.key}",
                "records": one.records,
                "rows": one.rows,
                "duplicates": one.duplicates,
                "quarantined": one.quarantined,
            }


def _astray(hours: Iterable["HourAccount"]) -> Iterator[Mapping[str, Cell]]:
    for item in hours:
        for one in item.astray:
            name = f"{one.bucket}/{one.key}"
            yield {"delivery_hour": item.name, "object": name, "ledger": one.ledger, "lake": one.lake}


def _unread(hours: Iterable["HourAccount"]) -> Iterator[Mapping[str, Cell]]:
    for item in hours:
        for text in item.unread:
            yield {"delivery_hour": item.name, "file": text}


QUALITY_CHECKS = [lake_quality, accounting]
