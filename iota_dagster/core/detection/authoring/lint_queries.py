"""What is wrong with scheduled queries and with the rules that judge their rows: one (file, line, text) for each."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from iota_dagster.core import yaml12
from iota_dagster.core.detection.rule import Rule, RulePack
from iota_dagster.core.detection.scheduled_query import LOG_TYPE_PREFIX, sql_parameters

Problem = tuple[Path, int, str]
_ANY_OCCASION = sql_parameters(datetime(2020, 1, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC))


def query_problems(pack: RulePack) -> Iterator[Problem]:
    """The queries that cannot run or that no rule reads, and the rules that wait for rows of a query that is not there.

    A rule that is looked at without any query may have its queries elsewhere: then nothing is said of their names.
    """
    from iota_dagster.core.lake.query_check import query_problem  # DuckDB and pyarrow: few packs have queries

    for item in pack.queries:
        if problem := query_problem(item.sql, parameters=_ANY_OCCASION):
            yield Path(item.file), item.line, f"Query: {problem}"
        if pack.rules and not any(item.log_type in rule.log_types for rule in pack.rules):
            yield Path(item.file), 1, f"no scheduled rule names {item.name} in ScheduledQueries: it never runs"
    skipped = {item.id for item in pack.skipped}
    for skip in pack.skipped:
        yield skip.file, 1, f"{skip.id}: {skip.reason}"
    names = {item.name for item in pack.queries} | skipped
    for rule in pack.rules:
        if rule.kind == "scheduled_rule":
            yield from _rule_problems(rule, names)


def _rule_problems(rule: Rule, names: set[str]) -> Iterator[Problem]:
    file = Path(rule.file)
    document = yaml12.load(file.read_bytes())
    if not rule.log_types:
        yield file, document.line("ScheduledQueries"), "ScheduledQueries names no query: this rule sees nothing"
    for index, log_type in enumerate(rule.log_types if names else ()):
        name = log_type.removeprefix(LOG_TYPE_PREFIX)
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else "this rule sees none of its rows"
            yield file, document.line("ScheduledQueries", index), f"there is no scheduled query {name}: {hint}"
