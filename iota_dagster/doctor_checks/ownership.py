"""Store and lake: whether they belong together."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from iota_dagster.core.lake.ownership import ForeignLake, is_own_lake, missing_files
from iota_dagster.core.storage import open_storage
from iota_dagster.core.store import migrations
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.presence import missing_file
from iota_dagster.doctor_checks.finding import Check, Finding, failed, ok, skipped
from iota_dagster.doctor_checks.site import Site

_ADVICE = "correct store_url or lake_url, or mount the lake's disk; if one of them is lost: docs/operations.md"


def checks(site: Site) -> list[Check]:
    """The lake's owner; nothing is changed, nor is a store made."""
    return [Check("lake's store", partial(_belongs, site), lambda error: "see to the lake and the store first")]


def _belongs(site: Site) -> Iterator[Finding]:
    url = site.settings.store_url
    if missing_file(url):
        yield skipped("there is no store yet")
        return
    database = Database(url)
    try:
        with database.read() as connection:
            revision = migrations.revision(connection)
        if revision == migrations.head():
            yield _judged(site, database)
        else:
            yield skipped("the store has not the tables of this iota yet")
    finally:
        database.dispose()


def _judged(site: Site, database: Database) -> Finding:
    lake = open_storage(site.settings.lake_url, site.own)
    try:
        is_own = is_own_lake(database, lake)
    except ForeignLake as error:
        return failed(str(error), _ADVICE)
    if gone := missing_files(database, lake):
        return failed(
            f"{lake.url} lacks files that the store names, such as {gone[0]}",
            "let all hosts of this store have the same lake_url; of a lost file do the hour again (docs/operations.md)",
        )
    return ok("the lake names this store" if is_own else "the lake is nobody's yet: the first run makes it this one's")
