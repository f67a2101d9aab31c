"""Great Expectations as the engine: suites and frames in, plain results and Data Docs out.

It is imported at first use, for its import takes seconds. Data Docs are HTML that its templates fill without escaping,
and what a log says an attacker may have written: so every text of a frame is escaped before the engine sees it, and
unescaped in the results.
"""

from __future__ import annotations

import html
import importlib
import shutil
import uuid
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from iota_dagster.core.quality.checks import Check
from iota_dagster.core.quality.results import SAMPLES, Result, Sample
from iota_dagster.core.quality.suite import (
    CHECK_OF,
    Expectation,
    Fact,
    FactKind,
    NotNull,
    OneOf,
    Suite,
    Unique,
    Within,
)
from iota_dagster.core.storage import Storage

SITE = "quality"
DOCS = "quality/docs"
"""Where Data Docs lie in the state storage."""
_INDEX = f"{DOCS}/index.html"
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;", "$": "&#36;"}
"""With `$`: the templates take it for a variable of theirs. The ampersand goes first."""


class GreatExpectations:
    """A `results.Validator`, and the writer of Data Docs of all that it has validated. One look makes one of them."""

    def __init__(self, storage: Storage, scratch: Path) -> None:
        """Data Docs will go into `DOCS` of the storage, by way of `scratch`; nothing is written or imported yet."""
        self._storage = storage
        self._building = scratch / f"quality-{uuid.uuid4().hex[:12]}"

    def facts(self, name: str, facts: Sequence[Fact]) -> list[Result]:
        """See `results.Validator`."""
        kinds = [kind for kind in FactKind if any(fact.kind is kind for fact in facts)]
        values = [[escaped(text) for text in (fact.kind, fact.subject, fact.expected, fact.found)] for fact in facts]
        columns = [pa.array(column, pa.string()) for column in zip(*values, strict=True)]
        frame = pa.table(columns, ["fact", "subject", "expected", "found"]) if columns else pa.table({})
        return self._validate(name, frame, "subject", [(CHECK_OF[kind], _same(kind)) for kind in kinds])

    def rows(self, name: str, suite: Suite, frame: pa.Table) -> list[Result]:
        """See `results.Validator`."""
        columns = [escaped_column(column) for column in frame.columns]
        expected = [(Check.EVENTS, _of_rows(item)) for item in suite.expectations]
        return self._validate(name, pa.table(columns, frame.column_names), suite.identity, expected)

    def write_docs(self) -> str | None:
        """Data Docs of what was validated, in place of the last; the page to open, None when there was nothing.

        The page is a path on this machine, or an `s3://` URL.
        """
        if "_context" not in self.__dict__:
            return None
        try:
            self._context.build_data_docs(site_names=[SITE])
            self._put_docs()
        finally:
            shutil.rmtree(self._building, ignore_errors=True)
        return str(self._storage.local_path(_INDEX) or f"{self._storage.url}/{_INDEX}")

    def _put_docs(self) -> None:
        """The pages before the index that links to them, and what the last index linked to goes when it is replaced."""
        files = (path for path in self._building.rglob("*") if path.is_file())
        new = {f"{DOCS}/{path.relative_to(self._building).as_posix()}": path for path in files}
        for name in sorted(new, key=lambda name: (name == _INDEX, name)):
            self._storage.upload(name, new[name])
        for stored in list(self._storage.list(f"{DOCS}/")):
            if stored.path not in new:
                self._storage.delete(stored.path)

    def _validate(
        self, name: str, frame: pa.Table, subject: str, expected: Sequence[tuple[Check, Any]]
    ) -> list[Result]:
        if not expected:
            return []
        for check, expectation in expected:
            expectation.meta = {"check": check.value}
        gx, context, source = _module(), self._context, uuid.uuid4().hex
        suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=[item for _, item in expected]))
        asset = context.data_sources.add_pandas(source).add_dataframe_asset(name)
        batch = asset.add_batch_definition_whole_dataframe(name)
        definition = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=suite))
        shape = {
            "result_format": "SUMMARY",
            "partial_unexpected_count": SAMPLES,
            "unexpected_index_column_names": [subject],
        }
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = definition.run(batch_parameters={"dataframe": frame.to_pandas()}, result_format=shape)
        finally:
            context.data_sources.delete(source)  # it would keep the frame
        return [_result(item, subject) for item in found.results]

    @cached_property
    def _context(self) -> Any:
        base = _module(".data_context.types.base")
        site = {
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(self._building)},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        }
        config = base.DataContextConfig(
            store_backend_defaults=base.InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            data_docs_sites={SITE: site},
            analytics_enabled=False,
            progress_bars=base.ProgressBarsConfig(globally=False),
        )
        return _module().get_context(mode="ephemeral", project_config=config)


def escaped(text: str) -> str:
    """A text that means the same in HTML and nothing to a template; different texts stay different."""
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


def escaped_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """`escaped` of every text of a column; other columns as they are."""
    if not pa.types.is_string(column.type):
        return column
    for character, escape in _ESCAPES.items():
        column = pc.replace_substring(column, character, escape)
    return column


def _module(name: str = "") -> Any:
    """Great Expectations, or a module of it, imported the first time; it exports in ways that no type checker sees."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of its own use of old modules
        return importlib.import_module(f"great_expectations{name}")


def _null(column: str) -> Any:
    """The condition that a column is null."""
    return _module(".expectations.row_conditions").Column(column).is_null()


def _same(kind: FactKind) -> Any:
    return _module(".expectations").ExpectColumnPairValuesToBeEqual(
        column_A="expected",
        column_B="found",
        ignore_row_if="neither",
        row_condition=_module(".expectations.row_conditions").Column("fact") == escaped(kind),
        notes=kind.value,
    )


def _of_rows(expectation: Expectation) -> Any:
    gxe, column = _module(".expectations"), expectation.column
    match expectation:
        case NotNull():
            return gxe.ExpectColumnValuesToNotBeNull(column=column, notes=f"{column} is not null")
        case Unique():
            return gxe.ExpectColumnValuesToBeUnique(column=column, notes=f"{column} is unique in the hour")
        case OneOf(values=values):
            known = [escaped(value) for value in values]
            notes = f"{column} is one of {', '.join(values)}"
            return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=known, notes=notes)
        case Within(first=first, end=end, unless=unless):
            return gxe.ExpectColumnValuesToBeBetween(
                column=column,
                min_value=first,
                max_value=end,
                strict_max=True,
                row_condition=_null(unless),
                notes=f"{column} lies in its hour, unless {unless} says why not",
            )


def _result(found: Any, subject: str) -> Result:
    """The engine's result as a value; an expectation that raised has failed, with its error as the sample."""
    config, result = found.expectation_config, found.result
    samples = tuple(_sample(item, subject) for item in result.get("partial_unexpected_index_list") or ())
    if not result:
        samples = (Sample("error", str(found.exception_info)[-300:]),)
    return Result(
        check=Check(config.meta["check"]),
        expectation=str(config.notes),
        passed=bool(found.success),
        unexpected=int(result.get("unexpected_count", 0)),
        samples=samples[:SAMPLES],
    )


def _sample(found: Mapping[str, Any], subject: str) -> Sample:
    values = [value for name, value in found.items() if name != subject] or [found.get(subject)]
    whose, *shown = map(_text, (found.get(subject), *values))
    return Sample(whose, ", ".join(shown))


def _text(value: Any) -> str:
    """A value for people; whatever a frame has for null is `null`."""
    return "null" if value is None or value != value else html.unescape(str(value))
