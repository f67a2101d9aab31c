"""One tick with everything that can be wrong with a message or its object: each ends by itself, the good one done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from iota_dagster.core.store import messages
from iota_dagster.core.store.schema import log_objects, quarantine
from tests.aws import Answer, Asked, s3_error, sts_error
from tests.platform.installation import PATIENCE, Installation
from tests.platform.story import NOW, key_of
from tests.platform.waiting import wait_until
from tests.road.world import content, record

pytestmark = pytest.mark.timeout(240)
ROLE = "arn:aws:iam::222233334444:role/reader"
GOOD, GONE, DENIED, STRANGE, FOREIGN = (key_of(NOW, name) for name in ("good", "gone", "denied", "strange", "foreign"))
POISON = '{"Records": [{"s3": '


class Trouble:
    """AWS denies one object for ever, and a role until it is back."""

    def __init__(self) -> None:
        """The role cannot be assumed."""
        self.role_is_back = False

    def __call__(self, asked: Asked) -> Answer | None:
        """The answer in AWS's place."""
        if asked.action == "AssumeRole" and not self.role_is_back:
            return sts_error(403, "AccessDenied")
        return s3_error(403, "AccessDenied") if asked.path.endswith(DENIED) else None


@pytest.fixture
def troubled(install: Callable[..., Installation]) -> Installation:
    """An installation whose queue holds a good message and all kinds of bad ones."""
    installation = install()
    foreign, stranger = installation.aws.bucket("foreign"), installation.aws.bucket("stranger")
    configured = [*installation.settings["integrations"], {"name": "foreign", "bucket": foreign, "role_arn": ROLE}]
    installation.configure(integrations=configured)
    for bucket in (foreign, stranger):
        installation.tell(bucket)
    installation.put({key: content([record(key)]) for key in (GOOD, GONE, DENIED)})
    installation.put({FOREIGN: content([record("foreign")])}, foreign)
    installation.put({STRANGE: content([record("strange")])}, stranger)
    installation.aws.clients.s3().delete_object(Bucket=installation.bucket, Key=GONE)
    installation.send([POISON, *installation.take_messages()])
    return installation


def statuses(installation: Installation) -> dict[str, str]:
    return {key: row["status"] for key, row in installation.objects().items()}


def end_the_wait(installation: Installation) -> None:
    """Let an object's time to be tried again come now, not in some seconds."""
    with installation.platform.database.begin() as connection:
        waiting = sa.update(log_objects).where(log_objects.c.key == FOREIGN)
        connection.execute(waiting.values(retry_at=datetime.now(UTC)))


def test_each_bad_message_ends_by_itself_and_a_role_that_comes_back_needs_no_hand(troubled: Installation) -> None:
    expected = {GOOD: "done", GONE: "missing", DENIED: "refused", STRANGE: "refused", FOREIGN: "pending"}
    trouble = Trouble()
    with troubled.aws.disturbed_by(trouble):
        troubled.daemon.start()
        wait_until(lambda: statuses(troubled) == expected, "the first tick's work", PATIENCE, troubled.told)
        errors = {key: row["error"] for key, row in troubled.objects().items()}
        assert errors[GOOD] is None
        assert "not in its bucket" in errors[GONE]
        assert "S3 refuses it" in errors[DENIED]
        assert "no integration is configured" in errors[STRANGE]
        assert "role cannot be assumed" in errors[FOREIGN]
        with troubled.platform.database.read() as connection:
            assert messages.counts(connection) == {("s3", "registered"): 5, ("unreadable", "quarantined"): 1}
            kept = connection.execute(sa.select(quarantine.c.reason, quarantine.c.sample)).all()
        assert [tuple(row) for row in kept] == [(messages.UNREADABLE, POISON.encode())]
        assert troubled.objects()[FOREIGN]["outages"] >= 1

        trouble.role_is_back = True
        end_the_wait(troubled)
        print(f"done {troubled.wait_for([GOOD, FOREIGN]):.1f} s after the role was back")
    assert statuses(troubled) == expected | {FOREIGN: "done"}
    assert {row["p_source_key"] for row in troubled.rows()} == {GOOD, FOREIGN}
    assert troubled.daemon.stop() == []
