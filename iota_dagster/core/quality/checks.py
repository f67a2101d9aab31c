"""What is checked, by the names of the asset checks."""

from __future__ import annotations

from enum import StrEnum


class Check(StrEnum):
    """What a table is checked for; each is an asset check of its own."""

    LEDGER = "rows_as_ledgered"
    COLUMNS = "columns_as_declared"
    EVENTS = "rows_well_formed"


class AccountCheck(StrEnum):
    """What the accounting of a delivery hour is checked for."""

    RECORDS = "records_accounted"
    ROWS = "rows_in_lake"
