"""What is told to every installation of these tests: 15 log objects of three delivery hours that repeat each other."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from iota_dagster.core.hours import Hour, hour_of, hour_start
from tests.road.world import ACCOUNT, UNKNOWN, content, record, sign_in

NOW = hour_of(datetime.now(UTC))
"""The hour in which the tests were loaded: all of them tell the same story, even past the next full hour."""
HOURS = (NOW - 2, NOW - 1, NOW)
OBJECTS_PER_HOUR = 5
EVENTS, ALERTS = 30 + 3 + 6, 6
"""Distinct events and alerts of the story."""


def key_of(hour: Hour, name: str) -> str:
    """A CloudTrail object's key in a delivery hour."""
    moment = hour_start(hour) + timedelta(minutes=5)
    file = f"{ACCOUNT}_CloudTrail_us-east-1_{moment:%Y%m%dT%H%MZ}_{name}.json.gz"
    return f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/{moment:%Y/%m/%d}/{file}"


def story() -> dict[str, bytes]:
    """The objects by key. Which of several equal copies comes first decides nothing that anybody could see."""
    return {
        key_of(hour, f"object{number}"): content(_records(place, hour, number))
        for place, hour in enumerate(HOURS)
        for number in range(OBJECTS_PER_HOUR)
    }


def _records(place: int, hour: Hour, number: int) -> Iterable[dict[str, Any]]:
    """Two events of its own, one that all objects have, a neighbour's, and sign-ins of this hour and the one before."""
    own = [_own(place, number, "now"), _own(place, number, "before")]
    everywhere = record(f"everywhere-{number % 3}", HOURS[0] - 1, 30)
    neighbour = _own(place, (number + 1) % OBJECTS_PER_HOUR, "now")
    earlier = _own(max(place - 1, 0), number, "now")
    found = [*own, everywhere, neighbour, earlier, _sign_in(place, number % 2), _sign_in(max(place - 1, 0), number % 2)]
    return [*found, UNKNOWN] if number == 0 else found


def _own(place: int, number: int, when: str) -> dict[str, Any]:
    return record(f"own-{place}-{number}-{when}", HOURS[place] - (when == "before"), 2 + number)


def _sign_in(place: int, number: int) -> dict[str, Any]:
    return sign_in(f"sign-in-{place}-{number}", f"198.51.100.{10 * place + number}", HOURS[place] - 1, 50)
