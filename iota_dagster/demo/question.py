"""The question that the demo asks of the lake, and what the catalog knows."""

from __future__ import annotations

import pyarrow as pa

from iota_dagster.core.lake.query import query
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.own_clients import own_clients
from iota_dagster.platform import Platform
from iota_dagster.settings import Settings

QUESTION = "What else came from the addresses behind the alerts?"
SQL = """\
SELECT sourceIPAddress AS address, split_part(eventSource, '.', 1) AS service, COUNT(*) AS calls,
       COUNT(COALESCE(errorCode, errorMessage)) AS failed,
       strftime(MIN(p_event_time), '%H:%M') AS since, strftime(MAX(p_event_time), '%H:%M') AS until
FROM cloudtrail_events
WHERE sourceIPAddress IN (
    SELECT sourceIPAddress FROM cloudtrail_events WHERE p_event_id IN (
        SELECT event_id FROM alert_matches WHERE alert_id IN (SELECT id FROM alerts)))
GROUP BY ALL ORDER BY MIN(p_event_time), service LIMIT 30"""


def ask(platform: Platform) -> pa.Table:
    """The answer to `SQL` over the lake as it is now."""
    return query(platform.database, platform.lake, SQL, schemas=lake_tables())


class Catalog:
    """The Glue database, asked as any other program would."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is connected yet."""
        self._clients = own_clients(settings)
        self._database = settings.glue_database or ""

    def partitions(self) -> int:
        """The partitions of all tables."""
        glue = self._clients.glue()
        pages = glue.get_paginator("get_tables").paginate(DatabaseName=self._database)
        names = [table["Name"] for page in pages for table in page["TableList"]]
        partitions = glue.get_paginator("get_partitions")
        return sum(
            len(page["Partitions"])
            for name in names
            for page in partitions.paginate(DatabaseName=self._database, TableName=name)
        )
