"""What the rules of a pack share while they run: data models and lookup tables, loaded where the rules are."""

from __future__ import annotations

from pathlib import Path

from iota_dagster.core.detection.event import EventContext
from iota_dagster.core.detection.functions import RULE_ERRORS, describe
from iota_dagster.core.detection.modules import Importer
from iota_dagster.core.detection.rule import DataModelSpec, Surroundings
from iota_dagster.core.detection.verdict import RuleFailure


def load_surroundings(specs: Surroundings, importer: Importer) -> tuple[EventContext | None, list[RuleFailure]]:
    """The context of all events, None when there is nothing in it, and a failure for each part that is broken."""
    if not specs.models and not specs.tables:
        return None, []
    from iota_dagster.core.detection.data_models import DataModel, DataModels  # few packs have any
    from iota_dagster.core.detection.enrichment import Table, Tables, load_table

    failures: list[RuleFailure] = []
    models = DataModels()
    tables: list[Table] = []
    shelf: Tables | None = None
    for model in specs.models:
        try:
            models.add(DataModel.of(model, _module(model, importer)))
        except RULE_ERRORS as error:
            failures.append(RuleFailure(model.id, "data model", describe(error), 0, 1))
    for table in specs.tables:
        try:
            more = [*tables, load_table(table)]
            shelf, tables = Tables(more), more
        except RULE_ERRORS as error:
            failures.append(RuleFailure(table.name, "lookup table", describe(error), 0, 1))
    return EventContext(models=models, tables=shelf), failures


def _module(model: DataModelSpec, importer: Importer) -> object:
    return importer.load(Path(model.code), [Path(folder) for folder in model.helpers]) if model.code else None
