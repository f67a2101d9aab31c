"""The asset of correlation rules, and the sensor that ends their waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml

from iota_dagster.core.alerting.ids import alert_id, match_id, period_start
from iota_dagster.core.aws.glue import GlueCatalog
from iota_dagster.core.errors import IotaError, Outage
from iota_dagster.core.hours import hour_key, hour_of
from iota_dagster.core.model import Match
from iota_dagster.core.store import correlations as store
from iota_dagster.core.store.alerts import list_alerts, record_matches
from iota_dagster.core.store.schema import deliveries, metadata
from iota_dagster.definitions import defs
from iota_dagster.defs import sensor_platform, steps
from iota_dagster.defs.assets.correlations import correlations
from iota_dagster.defs.correlation_schedule import correlation_wait_ends
from iota_dagster.defs.follow_up import correlate_and_deliver, follow_up
from iota_dagster.defs.resources import resources
from iota_dagster.defs.resources.batch_handles import HourBatches
from iota_dagster.platform import Platform, open_platform
from iota_dagster.settings import load_settings
from tests.aws import Answer, Asked, Aws, s3_error

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
HOUR = hour_key(hour_of(NOW))
RULES = """\
AnalysisType: correlation_rule
RuleID: {id}
Enabled: true
Severity: High
Detection:
  - Sequence: [{{ RuleID: First }}, {{ RuleID: Second, Absence: {absent} }}]
    Transitions: [{{ From: First, To: Second, Match: [{{ On: p_alert_context.user }}] }}]
    LookbackWindowMinutes: 30
"""


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """An installation with a rule for two events, one for the first without the second, and one that is broken."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "both.yml").write_text(RULES.format(id="Both", absent="false"))
    (rules / "alone.yml").write_text(RULES.format(id="Alone", absent="true"))
    (rules / "broken.yml").write_text(RULES.format(id="Broken", absent="false").replace("To: Second", "To: Third"))
    (tmp_path / "iota.yaml").write_text(yaml.safe_dump({"home": str(tmp_path / "home"), "rules": [str(rules)]}))
    monkeypatch.setenv("IOTA_CONFIG", str(tmp_path / "iota.yaml"))
    sensor_platform._opened.cache_clear()
    opened = open_platform(load_settings())
    with opened.database.begin() as connection:
        metadata.create_all(connection)
    yield opened
    opened.database.dispose()
    sensor_platform.sensor_platform().database.dispose()
    sensor_platform._opened.cache_clear()


def record(platform: Platform, rule_id: str, moment: datetime, user: str, *, create_alert: bool = False) -> None:
    """What `alerts` does with one match of a rule that makes no alert by itself, or one."""
    name, hour = f"{rule_id} {user}", hour_of(moment)
    match = Match(
        id=match_id(rule_id, "AWS.CloudTrail", name, hour),
        rule_id=rule_id,
        log_type="AWS.CloudTrail",
        event_id=name,
        event_hour=hour,
        event_time=moment,
        dedup=user,
        period_minutes=60,
        threshold=1,
        severity="HIGH" if create_alert else "INFO",
        title=name,
        alert_id=alert_id(rule_id, user, period_start(moment, 60)),
        create_alert=create_alert,
        context={"user": user},
    )
    alerting = platform.road.alerting
    with platform.database.begin() as connection:
        record_matches(
            connection, name, [match], notify=True, now=NOW, notify_within=alerting.notify_within, route=alerting.route
        )


def told(platform: Platform) -> list[tuple[str, str]]:
    with platform.database.read() as connection:
        sent = set(connection.scalars(sa.select(deliveries.c.alert_id).where(deliveries.c.status == "sent")))
        return sorted((alert.title, "sent" if alert.id in sent else "unsent") for alert in list_alerts(connection))


def test_the_asset_evaluates_what_has_changed(platform: Platform) -> None:
    record(platform, "First", NOW - timedelta(minutes=2), "alice")
    record(platform, "Second", NOW - timedelta(minutes=1), "alice")
    job = dg.define_asset_job("alone", selection=dg.AssetSelection.assets("correlations"))
    resolved = dg.Definitions(assets=defs.assets, jobs=[job], resources=defs.resources).resolve_job_def("alone")
    with dg.DagsterInstance.ephemeral() as instance:
        result = resolved.execute_in_process(instance=instance, partition_key=HOUR)
    (materialization,) = result.asset_materializations_for_node("correlations")
    shown = {name: value.value for name, value in materialization.metadata.items()}
    assert (shown["matches"], shown["alerts_created"], shown["rule_failures"]) == (1, 1, 0)
    assert told(platform) == [("Both: alice", "unsent")]


def work_off(step: str) -> None:
    """One try of the op of `follow_up`, or of the asset, as a run makes it."""
    given = {"platform": resources()["platform"]}
    with dg.DagsterInstance.ephemeral() as instance:
        if step == "follow_up":
            with dg.build_op_context(instance=instance, resources=given) as op_context:
                correlate_and_deliver(op_context)
        else:
            with dg.build_asset_context(instance=instance, resources=given, partition_key=HOUR) as asset_context:
                correlations(asset_context, alerts=HourBatches("run", (hour_of(NOW),)))


@pytest.fixture
def in_aws(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> GlueCatalog:
    """A lake in S3 and a Glue database for it, for what is opened from now on."""
    database = aws.name("lake").replace("-", "_")
    monkeypatch.setenv("IOTA_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("IOTA_LAKE_URL", f"s3://{aws.bucket('lake')}/lake")
    monkeypatch.setenv("IOTA_GLUE_DATABASE", database)
    return GlueCatalog(aws.clients.glue(), database)


def denied(service: str, method: str) -> Callable[[Asked], Answer | None]:
    """What a service says that does not let us any more."""
    glue = Answer(400, b'{"__type": "AccessDeniedException", "Message": "no"}')
    answer = glue if service == "glue" else s3_error(403, "AccessDenied")
    return lambda asked: answer if (asked.service, asked.method) == (service, method) else None


def record_both(platform: Platform, moment: datetime) -> None:
    """An alert that is due, and what makes another by correlation."""
    record(platform, "Loud", moment - timedelta(minutes=3), "alice", create_alert=True)
    record(platform, "First", moment - timedelta(minutes=2), "alice")
    record(platform, "Second", moment - timedelta(minutes=1), "alice")


STEPS = pytest.mark.parametrize("step", ["follow_up", "correlations"])


@STEPS
def test_what_is_due_is_sent_while_the_lake_does_not_answer(
    platform: Platform, aws: Aws, in_aws: GlueCatalog, step: str
) -> None:
    record_both(platform, NOW)
    with aws.disturbed_by(denied("s3", "PUT")), pytest.raises(dg.RetryRequested) as raised:
        work_off(step)
    assert isinstance(raised.value.__cause__, Outage)
    assert raised.value.max_retries == 1  # every run meets it, and another one takes it up
    assert told(platform) == [("Loud alice", "sent")]
    work_off(step)
    assert told(platform) == [("Both: alice", "sent"), ("Loud alice", "sent")]


@STEPS
def test_hours_of_correlation_rules_are_in_the_catalog_at_once(
    platform: Platform, in_aws: GlueCatalog, step: str
) -> None:
    moment = NOW.replace(minute=30) - timedelta(hours=3)
    hour = hour_of(moment)
    record_both(platform, moment)
    work_off(step)
    (first,) = in_aws.partitions("alert_matches", [hour]).values()
    record(platform, "First", moment, "bob")
    record(platform, "Second", moment + timedelta(minutes=1), "bob")
    work_off(step)
    (second,) = in_aws.partitions("alert_matches", [hour]).values()
    assert first != second
    assert [title for title, _ in told(platform)] == ["Both: alice", "Both: bob", "Loud alice"]


@STEPS
def test_people_are_told_though_the_catalog_denies_us(
    platform: Platform, aws: Aws, in_aws: GlueCatalog, step: str
) -> None:
    record_both(platform, NOW)
    with aws.disturbed_by(denied("glue", "POST")), pytest.raises(IotaError):
        work_off(step)
    assert told(platform) == [("Both: alice", "sent"), ("Loud alice", "sent")]


def run_from_correlations(partition: str = HOUR) -> tuple[bool, dict[str, list[dict[str, object]]]]:
    """A run of the two steps that tell: whether it succeeded, and by asset the figures of each materialization."""
    job = dg.define_asset_job("telling", selection=dg.AssetSelection.assets("correlations", "alert_deliveries"))
    given = dg.Definitions(assets=defs.assets, jobs=[job], resources=defs.resources, executor=dg.in_process_executor)
    with dg.DagsterInstance.ephemeral() as instance:
        resolved = given.resolve_job_def("telling")
        result = resolved.execute_in_process(instance=instance, partition_key=partition, raise_on_error=False)
        shown = {name: materialized(instance, name, partition) for name in ("correlations", "alert_deliveries")}
    return result.success, shown


def materialized(instance: dg.DagsterInstance, asset: str, partition: str) -> list[dict[str, object]]:
    """The figures of each materialization of an asset that an instance has kept."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition])
    kept = [item.asset_materialization for item in instance.fetch_materializations(wanted, limit=9).records]
    return [{name: value.value for name, value in item.metadata.items()} for item in kept if item]


def test_what_was_sent_while_glue_had_to_wait_is_shown_on_the_deliveries_and_counted_once(
    platform: Platform, in_aws: GlueCatalog
) -> None:
    record_both(platform, NOW)
    succeeded, shown = run_from_correlations()
    assert succeeded
    (correlated,), (delivered,) = shown["correlations"], shown["alert_deliveries"]
    assert "sent" not in correlated
    assert (delivered["sent"], delivered["failed"], delivered["outbox_waiting"]) == (2, 0, 0)
    (row,) = delivered["destinations"].records  # type: ignore[attr-defined]
    assert (row.data["destination"], row.data["sent"]) == ("alerts_file", 2)
    assert "lag_registered_seconds" not in correlated


def test_what_was_sent_by_a_run_that_fails_before_its_deliveries_is_shown_on_them_once(
    platform: Platform, aws: Aws, in_aws: GlueCatalog
) -> None:
    record_both(platform, NOW)
    with aws.disturbed_by(denied("glue", "POST")):
        succeeded, shown = run_from_correlations()
    assert not succeeded
    assert (shown["correlations"], [item["sent"] for item in shown["alert_deliveries"]]) == ([], [2])
    succeeded, shown = run_from_correlations()
    assert succeeded
    assert [item["sent"] for item in shown["alert_deliveries"]] == [0]


def test_what_was_sent_before_a_step_was_tried_again_is_shown_once_with_the_rest(
    platform: Platform, aws: Aws, in_aws: GlueCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_both(platform, NOW)
    monkeypatch.setattr(steps, "OUTAGE_SECONDS", 0)
    left = [denied("s3", "PUT")]

    def once(asked: Asked) -> Answer | None:
        answer = left[0](asked) if left else None
        if answer is not None:
            assert told(platform) == [("Loud alice", "unsent")]
            left.clear()
        return answer

    with aws.disturbed_by(once):
        succeeded, shown = run_from_correlations()
    assert (succeeded, left, told(platform)) == (True, [], [("Both: alice", "sent"), ("Loud alice", "sent")])
    assert [item["sent"] for item in shown["alert_deliveries"]] == [2]


def test_the_sensor_waits_until_something_is_due(platform: Platform) -> None:
    with dg.DagsterInstance.ephemeral() as instance, dg.build_sensor_context(instance) as context:
        skipped = correlation_wait_ends(context)
        assert isinstance(skipped, dg.SkipReason)
        record(platform, "First", NOW - timedelta(hours=2), "bob")
        with platform.database.begin() as connection:
            store.wait(connection, "Alone", {NOW - timedelta(minutes=90): True})
        request = correlation_wait_ends(context)
        assert isinstance(request, dg.RunRequest)
        assert request.run_key
        assert follow_up.execute_in_process(instance=instance, resources=defs.resources).success
        assert told(platform) == [("Alone: bob", "sent")]
        assert isinstance(correlation_wait_ends(context), dg.SkipReason)


def test_the_sensor_takes_up_what_a_run_left_that_died(platform: Platform) -> None:
    with dg.DagsterInstance.ephemeral() as instance, dg.build_sensor_context(instance) as context:
        record(platform, "First", NOW - timedelta(minutes=2), "eve")
        assert isinstance(correlation_wait_ends(context), dg.SkipReason)  # whoever wrote it may be at it
        record(platform, "Second", NOW - timedelta(minutes=1), "eve")
        assert isinstance(correlation_wait_ends(context), dg.SkipReason)
        assert isinstance(correlation_wait_ends(context), dg.RunRequest)
        assert follow_up.execute_in_process(instance=instance, resources=defs.resources).success
        assert told(platform) == [("Both: eve", "sent")]
        assert isinstance(correlation_wait_ends(context), dg.SkipReason)


def test_a_run_by_hour_has_the_asset_between_alerts_and_their_deliveries() -> None:
    graph = defs.resolve_asset_graph()
    assert graph.get(dg.AssetKey("correlations")).parent_keys == {dg.AssetKey("alerts")}
    assert graph.get(dg.AssetKey("alert_deliveries")).parent_keys == {dg.AssetKey("correlations")}
    assert dg.AssetKey("correlations") in defs.resolve_job_def("ingest").asset_layer.executable_asset_keys
