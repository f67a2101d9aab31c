"""Requests to AWS: how they end is counted, and a role sends at most so many a second.

Both hang on botocore's events, so that every attempt counts, a retry like a first one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""The codes with which services say that there were too many requests."""

# A HEAD has no body to say SlowDown in: there the status alone tells.
_THROTTLED_STATUS = {429, 503}


@dataclass(frozen=True, slots=True)
class RequestCount:
    """How requests ended. `errors` are answers from 400 on that were no throttling, and those that never came."""

    requests: int = 0
    throttled: int = 0
    errors: int = 0

    def __add__(self, other: RequestCount) -> RequestCount:
        return RequestCount(
            self.requests + other.requests, self.throttled + other.throttled, self.errors + other.errors
        )


class RequestCounts:
    """Counts by service and operation, such as `("s3", "GetObject")`. Safe to share by threads and clients."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], RequestCount] = {}
        self._lock = threading.Lock()

    def watch(self, client: Any) -> None:
        """Count a boto3 client's requests from now on."""
        client.meta.events.register("response-received", self._answered)

    def by_operation(self) -> Mapping[tuple[str, str], RequestCount]:
        """The counts of this moment."""
        with self._lock:
            return dict(self._counts)

    def total(self) -> RequestCount:
        """All operations together."""
        return sum(self.by_operation().values(), RequestCount())

    def _answered(
        self,
        event_name: str,
        response_dict: Mapping[str, Any] | None,
        parsed_response: Mapping[str, Any] | None,
        **_: Any,
    ) -> None:
        service, operation = event_name.split(".")[1:]
        status = response_dict["status_code"] if response_dict else 0
        throttled = status in _THROTTLED_STATUS or _code(parsed_response) in THROTTLED
        error = not throttled and not 0 < status < 400
        one = RequestCount(1, int(throttled), int(error))
        with self._lock:
            self._counts[service, operation] = self._counts.get((service, operation), RequestCount()) + one


def _code(answer: Mapping[str, Any] | None) -> str | None:
    return answer.get("Error", {}).get("Code") if answer else None


class Pace:
    """At most so many requests a second, evenly spread: a caller that is too early sleeps, whichever thread it is."""

    def __init__(
        self,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`clock` and `sleep` are in seconds."""
        self._gap, self._clock, self._sleep = 1 / per_second, clock, sleep
        self._next = clock()
        self._lock = threading.Lock()

    def watch(self, client: Any) -> None:
        """Slow a boto3 client down from now on."""
        client.meta.events.register("before-send", lambda **_: self.wait())

    def wait(self) -> None:
        """Sleep until it is this caller's turn."""
        with self._lock:  # taking a turn is quick; the sleep is not part of it
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._gap
        if turn > now:
            self._sleep(turn - now)
