"""Sources of figures, each read in a thread of its own, so that whoever scrapes waits for none that is slow.

A scrape gets the last answer at once and waits a second at most for a fresh one. An answer is kept for some seconds
and, where the source allows it, for twenty times as long as it took, so that reading never takes more than a twentieth
of the time, whoever scrapes. One that hangs is not begun again; after a minute it counts as one that does not answer.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from iota_dagster.core.errors import IotaError
from iota_dagster.core.observability import metrics
from iota_dagster.core.observability.figures import Series
from iota_dagster.core.observability.metrics import Family

Samples = Mapping[Series, float]
KEEP_SECONDS = 5.0
HANGS_SECONDS = 60.0
_SHARE = 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """`read` gives samples by sample name and labels; the gauge `up` is 1, or 0 where `read` raises.

    An answer is kept for twenty times as long as it took, `most_kept` seconds at most.
    """

    name: str
    up: Family
    read: Callable[[], Samples]
    most_kept: float = KEEP_SECONDS


@dataclass(frozen=True, slots=True)
class _Reading:
    """One call of a source, under way; whoever asks meanwhile waits for the same."""

    began: float
    ended: threading.Event = field(default_factory=threading.Event)


class KeptSource:
    """A source's last answer; may be asked by any number of threads."""

    def __init__(self, source: Source, clock: Callable[[], float]) -> None:
        """Nothing is read yet. `clock` counts seconds."""
        self._source, self._clock = source, clock
        self._lock = threading.Lock()
        self._samples: Samples = {}
        self._valid_until = float("-inf")
        self._reading: _Reading | None = None

    @property
    def is_new(self) -> bool:
        """Whether there has been no answer yet."""
        return not self._samples

    def refresh(self) -> None:
        """Begin to read, if the last answer is too old and nobody is at it."""
        with self._lock:
            now = self._clock()
            if self._reading is None and now >= self._valid_until:
                reading = _Reading(now)
                name = f"figures {self._source.name}"
                threading.Thread(target=self._read, args=(reading,), name=name, daemon=True).start()
                self._reading = reading

    def samples(self, patience: float) -> Samples:
        """The last answer, or the one that is under way if it comes within so many seconds."""
        with self._lock:
            reading = self._reading
        if reading is not None:
            reading.ended.wait(patience)
        with self._lock:
            if self._reading is not None and self._clock() - self._reading.began >= HANGS_SECONDS:
                return self._up(0)
            return self._samples

    def _read(self, reading: _Reading) -> None:
        kept = KEEP_SECONDS
        try:
            samples = {**self._source.read(), **self._up(1)}
            kept = max(kept, min(_SHARE * (self._clock() - reading.began), self._source.most_kept))
        except Exception as error:  # whatever it is, the source is shown as down and hides no other
            text = str(error) if isinstance(error, IotaError) else f"{type(error).__name__}: {error}"
            _log.warning("the figures of %s are left out: %s", self._source.name, text)
            samples = self._up(0)
        with self._lock:
            now = self._clock()
            samples[metrics.COLLECT_SECONDS.name, (self._source.name,)] = now - reading.began
            self._samples, self._valid_until, self._reading = samples, now + kept, None
        reading.ended.set()

    def _up(self, value: float) -> dict[Series, float]:
        return {(self._source.up.name, ()): value}
