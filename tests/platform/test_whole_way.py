"""From the message to Glue by the real daemon, with every message delivered three times in random order."""

from __future__ import annotations

import pytest

from tests.platform.installation import Installation
from tests.platform.story import ALERTS, EVENTS, story
from tests.road.state import State, assert_same

pytestmark = pytest.mark.timeout(240)


def test_every_event_and_alert_is_there_once_however_often_its_message_came(
    installation: Installation, undisturbed: State
) -> None:
    installation.deliver_three_times(story(), seed=1)
    installation.daemon.start()
    print(f"all done {installation.wait_for(story()):.1f} s after the daemon was started")
    found = installation.state()
    assert_same(found, undisturbed)
    assert found.totals["rows"] == EVENTS
    assert found.totals["records"] == sum(found.totals[name] for name in ("rows", "duplicates", "quarantined"))
    assert len(found.alerts) == ALERTS
    assert set(found.lines.values()) == {1}
    assert {status for status, *_ in found.objects.values()} == {"done"}
    assert set(found.objects) == set(story())
    assert installation.partitions_in_glue() == installation.partitions_in_store()
    assert installation.daemon.stop() == []
