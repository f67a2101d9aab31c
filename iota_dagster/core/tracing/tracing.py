"""Where an event came from and what became of it: object → batch and runs → lake row → matches → alerts → deliveries.

Also the other way round, from an alert or a match, and for a whole log object. Everything is read, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from iota_dagster.core.batch.prepare import CONFLICTING_COPY
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.lake.lookup import Row, find_row, match_ids
from iota_dagster.core.model import Alert
from iota_dagster.core.store import alert_lineage, lineage
from iota_dagster.core.store.alert_lineage import MatchRecord
from iota_dagster.core.store.held import Held, held_with
from iota_dagster.core.store.lineage import (
    Against,
    LedgerObject,
    RowFile,
)
from iota_dagster.core.tracing.id_search import IdSearch, Located, event_files, spellings
from iota_dagster.core.tracing.trace import Fate, Scope, Trace, committed_told, not_in, object_told, of_copy, row_told

SHOWN_MATCHES = 20
SHOWN_EVENTS = 3
"""Of an alert, or of a correlation rule's match, so many events are traced."""


@dataclass(frozen=True, slots=True)
class Tracer:
    """Traces over a store, a lake and the state storage."""

    search: IdSearch

    def trace(self, asked: str, scope: Scope) -> Trace:
        """What an id stands for: an alert, a match, or an event, by its `p_event_id` or its vendor's id."""
        with self.search.database.read() as connection:
            alerts = alert_lineage.alerts_by_id(connection, [asked])
            match = None if alerts else alert_lineage.match(connection, asked)
        if alerts:
            return self._alert(alerts[0])
        return self._match(match) if match else self._event(asked, scope)

    def object(self, place: str) -> Trace:
        """What became of a log object, given by its key, with or without its bucket."""
        with self.search.database.read() as connection:
            objects = lineage.objects_at(connection, place)
            if not objects:
                return Trace(place, Fate.UNKNOWN, f"The ledger has no object {place}.")
            held = [item for found in objects for item in held_with(connection, None, object_id=found.id)]
            names = sorted({item.batch_id for item in objects if item.batch_id})
            batches = [batch for name in names if (batch := lineage.batch(connection, name))]
            files = [file for name in names for file in lineage.files_of(connection, name)]
            counted = [row for name in names for row in lineage.duplicates_of(connection, name) if row.batch_id == name]
        found = Trace(place, Fate.OBJECT, object_told(objects), None, tuple(objects), tuple(batches))
        found = replace(found, duplicates=tuple(counted), quarantine=tuple(held))
        return self._with_matches_of_objects(found, files)

    def in_object(self, asked: str, place: str) -> Trace:
        """What became of the copy of an event that a log object holds: a row, a duplicate, quarantined."""
        with self.search.database.read() as connection:
            objects = lineage.objects_at(connection, place)
            names = [item.batch_id for item in objects if item.batch_id]
            against = [row for name in names for row in lineage.duplicates_of(connection, name) if row.batch_id == name]
            keys = {key for name in names for key in lineage.admitted_hours(connection, name)}
            wanted = spellings(asked, lineage.accounts(connection))
        if not objects:
            return Trace(asked, Fate.UNKNOWN, f"The ledger has no object {place}.")
        keys |= {(row.log_type, row.hour) for row in against}
        located = self.search.among(wanted, sorted(keys, key=lambda key: (-key[1], key[0]))).found
        held = self._held(asked, wanted, objects)
        if located is None:
            return not_in(asked, objects, held)
        holders = {*names, *(row.against for row in against)}
        return of_copy(self._located(asked, located), objects, held, holders)

    # ── an event ──

    def _event(self, asked: str, scope: Scope) -> Trace:
        with self.search.database.read() as connection:
            wanted = spellings(asked, lineage.accounts(connection))
        if scope.hours is not None:
            result = self.search.within(wanted, scope.log_types, scope.hours)
        else:
            result = self.search.newest(wanted, scope.log_types, scope.kept_since)
        if result.found:
            return self._located(asked, result.found)
        held = self._held(asked, wanted, ())
        with self.search.database.read() as connection:
            objects = lineage.objects_of(connection, sorted({item.object_id for item in held if item.object_id}))
        if held:
            told = f"In quarantine: {held[0].reason} (item {held[0].id}). No row in the lake has this id."
            return Trace(asked, Fate.QUARANTINED, told, objects=tuple(objects), quarantine=held)
        told = f"Unknown: no alert, match or event has this id. {result.hours:,} event hours were searched."
        if result.too_old:
            told += f" {result.too_old:,} older ones have no id files any more: name the event's hour with --hour."
        return Trace(asked, Fate.UNKNOWN, told)

    def _located(self, asked: str, event: Located) -> Trace:
        """The whole way of an event that a batch admitted."""
        with self.search.database.read() as connection:
            batch = lineage.batch(connection, event.batch_id)
            files = event_files(lineage.files_of(connection, event.batch_id, event.hour), event.log_type)
            found = alert_lineage.matches_on(connection, event.batch_id, event.event_id)
            counted = [row for row in lineage.duplicates_of(connection, event.batch_id) if _is_against(row, event)]
        path, row = self._row(files, event.event_id)
        held = tuple(file for file in files if file.path == path)
        trace = Trace(asked, Fate.COMMITTED, committed_told(event), event, batches=(batch,) if batch else ())
        if row is not None:
            trace = replace(trace, fate=Fate.ROW, told=row_told(event, row), files=held, row=row)
        trace = replace(trace, duplicates=tuple(counted), objects=self._objects(event, row))
        trace = replace(trace, quarantine=self._held(asked, [event.event_id], (), CONFLICTING_COPY))
        return self._with_alerts(trace, found)

    def _row(self, files: Sequence[RowFile], event_id: str) -> tuple[str | None, Row | None]:
        for file in files:
            if row := find_row(self.search.lake, file.path, event_id):
                return file.path, row
        return None, None

    def _objects(self, event: Located, row: Row | None) -> tuple[LedgerObject, ...]:
        if row is None:
            return ()
        with self.search.database.read() as connection:
            place = row["p_source_bucket"], row["p_source_key"]
            found = lineage.object_of_row(connection, *place, event.batch_id)
        return (found,) if found else ()

    def _held(
        self, asked: str, names: Sequence[str], objects: Sequence[LedgerObject], reason: str | None = None
    ) -> tuple[Held, ...]:
        """What quarantine holds with an event's id in it, as its vendor wrote it; of some objects if they are given."""
        texts = {asked.encode(), *(name.partition(":")[2].encode() or name.encode() for name in names)}
        ids: list[int | None] = [item.id for item in objects] or [None]
        with self.search.database.read() as connection:
            found = {
                item.id: item
                for text in texts
                for object_id in ids
                for item in held_with(connection, text, object_id=object_id, reason=reason)
            }
        return tuple(found[number] for number in sorted(found))

    # ── matches and alerts ──

    def _match(self, match: MatchRecord) -> Trace:
        located = Located(match.event_id, match.log_type, match.event_hour, match.batch_id)
        with self.search.database.read() as connection:
            batch = lineage.batch(connection, match.batch_id)
        if batch is not None:
            return self._located(match.id, located)
        trace = Trace(match.id, Fate.ALERT, f"A match of {match.rule_id}, which is on no event of its own.")
        return replace(self._with_alerts(trace, [match]), events=self._events(self._members([match])))

    def _alert(self, alert: Alert) -> Trace:
        with self.search.database.read() as connection:
            found = alert_lineage.matches_of_alert(connection, alert.id, SHOWN_MATCHES)
        told = f"An alert of {alert.rule_id}, {alert.status}, with {alert.matches:,} matches."
        trace = self._with_alerts(Trace(alert.id, Fate.ALERT, told), found, [alert])
        members = self._members(found)
        return replace(trace, events=self._events(members or found))

    def _members(self, found: Sequence[MatchRecord]) -> list[MatchRecord]:
        """The matches that the matches of a correlation rule are made of."""
        ids = [name for item in found for name in item.members][:SHOWN_EVENTS]
        with self.search.database.read() as connection:
            return [item for name in dict.fromkeys(ids) if (item := alert_lineage.match(connection, name))]

    def _events(self, found: Sequence[MatchRecord]) -> tuple[Trace, ...]:
        """The first few events of some matches, each once."""
        by_event = {(item.log_type, item.event_id): item for item in reversed(found)}
        first = sorted(by_event.values(), key=lambda item: (item.event_time, item.id))[:SHOWN_EVENTS]
        located = [Located(item.event_id, item.log_type, item.event_hour, item.batch_id) for item in first]
        with self.search.database.read() as connection:
            events = [item for item in located if lineage.batch(connection, item.batch_id)]
        return tuple(self._located(item.event_id, item) for item in events)

    def _with_alerts(self, trace: Trace, found: Sequence[MatchRecord], known: Sequence[Alert] = ()) -> Trace:
        with self.search.database.read() as connection:
            ids = sorted({item.alert_id for item in found if item.create_alert})
            alerts = known or alert_lineage.alerts_by_id(connection, ids)
            sent = alert_lineage.deliveries_of(connection, [alert.id for alert in alerts])
        return replace(trace, matches=tuple(found), alerts=tuple(alerts), deliveries=tuple(sent))

    def _with_matches_of_objects(self, trace: Trace, files: Sequence[RowFile]) -> Trace:
        """The matches on an object's events, by the lake, which knows a match's object; and files of its batch."""
        buckets = {item.bucket: {other.key for other in trace.objects} for item in trace.objects}
        tables = [file for file in files if file.table == alert_matches.TABLE]
        ids = [
            name
            for file in tables
            for bucket, keys in buckets.items()
            for name in match_ids(self.search.lake, file.path, bucket, keys)
        ]
        with self.search.database.read() as connection:
            found = [
                item for name in sorted(set(ids))[:SHOWN_MATCHES] if (item := alert_lineage.match(connection, name))
            ]
        return self._with_alerts(replace(trace, files=tuple(file for file in files if file not in tables)), found)


def _is_against(row: Against, event: Located) -> bool:
    return (row.against, row.log_type, row.hour) == (event.batch_id, event.log_type, event.hour)
