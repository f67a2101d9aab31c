"""What one evaluation of the correlation rules did: what has changed, and what went wrong, rule by rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from iota_dagster.core.errors import Outage
from iota_dagster.core.store.alerts import AlertChanges
from iota_dagster.core.store.correlations import RuleHour
from iota_dagster.core.store.lake_catalog import TableHour


class NotPublished(Outage):
    """One hour's matches could not be brought into the lake; other hours may be well."""


@dataclass(frozen=True, slots=True)
class Correlated:
    """What one call did, filled while it goes on.

    `changes` of each rule's hours; `changed` in the lake; `failures`, the rules that failed, each with its error.
    `outages` are those of them that wait for the lake: whoever has dealt with all else raises one.
    """

    changes: dict[RuleHour, AlertChanges] = field(default_factory=dict)
    changed: set[TableHour] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)
    outages: dict[str, NotPublished] = field(default_factory=dict)

    def total(self, count: Callable[[AlertChanges], int]) -> int:
        """A number summed over all changes."""
        return sum(map(count, self.changes.values()))

    @contextmanager
    def noting(self, rule_id: str) -> Iterator[None]:
        """Keep what goes wrong with a rule. Without the store no other rule fares better: that outage is raised."""
        try:
            yield
        except NotPublished as outage:
            self.outages[rule_id] = outage
            self.failures[rule_id] = str(outage)
        except Outage:
            raise
        except Exception as error:
            self.failures[rule_id] = f"{type(error).__name__}: {error}"
