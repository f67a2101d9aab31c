"""The scheduled rules that come with iota, from their SQL to their alerts, over events of the last days."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from iota_dagster.core.hours import hour_of
from iota_dagster.core.scheduled_queries.runner import Querying
from iota_dagster.platform import Platform
from tests.road.world import ACCOUNT, NOW, World, drive, record

EXAMPLES = Path(__file__).parents[2] / "rules" / "scheduled"
THIS_HOUR = hour_of(NOW)


def user(name: str) -> dict[str, Any]:
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    return {"userIdentity": {"type": "IAMUser", "accountId": ACCOUNT, "userName": name, "arn": arn}}


def titles(world: World, platform: Platform, name: str, records: list[dict[str, Any]]) -> list[str]:
    """What the rules say of a query's rows over a lake with these events."""
    for file in EXAMPLES.iterdir():
        if file.is_file():
            shutil.copy(file, world.rules)
    world.deliver(platform, {"a": records}, THIS_HOUR)
    drive(platform, "first")
    querying = Querying(platform.road)
    (item,) = [item for item in platform.road.alerting.rules().pack.queries if item.name == name]
    due_at = item.schedule.last_before(NOW)
    answer = querying.ask(item, due_at, item.schedule.last_before(due_at))
    assert answer.error is None
    return sorted(match.title for match in querying.judge(item, answer, due_at).matches)


def test_a_sign_in_from_a_network_that_is_new_to_the_user(world: World, platform: Platform) -> None:
    def sign_in(number: int, hours_ago: int, name: str, address: str) -> dict[str, Any]:
        fields = user(name) | {"sourceIPAddress": address, "eventName": "ConsoleLogin"}
        return record(str(number), THIS_HOUR - hours_ago, 0, **fields)

    found = titles(
        world,
        platform,
        "AWS.Console.NetworksOfUsers",
        [
            sign_in(1, 120, "alice", "203.0.113.1"),
            sign_in(2, 1, "alice", "198.51.100.7"),  # new
            sign_in(3, 120, "bob", "203.0.113.2"),
            sign_in(4, 1, "bob", "203.0.113.99"),  # the same network
            sign_in(5, 1, "carol", "203.0.113.3"),  # nothing was seen of her before
            sign_in(6, 120, "dora", "2001:db8::1"),
            sign_in(7, 1, "dora", "2001:db9::1"),  # new
        ],
    )
    assert found == [
        f"alice signed in to account {ACCOUNT} from 198.51.100.7, a network new to them",
        f"dora signed in to account {ACCOUNT} from 2001:db9::1, a network new to them",
    ]


def test_a_principal_that_was_denied_more_than_in_any_hour_of_its_week(world: World, platform: Platform) -> None:
    def denied(name: str, hours_ago: int, actions: int, services: int) -> list[dict[str, Any]]:
        return [
            record(
                f"{name}-{hours_ago}-{number}",
                THIS_HOUR - hours_ago,
                number,
                **user(name),
                eventName=f"Action{number}",
                eventSource=f"service{number % services}.amazonaws.com",
                errorCode="AccessDenied",
            )
            for number in range(actions)
        ]

    events = [denied("eve", 1, 12, 4), denied("eve", 30, 3, 3), denied("bot", 1, 12, 4), denied("bot", 30, 11, 4)]
    found = titles(world, platform, "AWS.DeniedCallsOfPrincipals", [item for some in events for item in some])
    assert found == ["eve was denied 12 different calls in 4 services within an hour"]
