"""`iota serve`: metrics and probes over HTTP, from a server that really listens."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from iota_dagster.core.observability import metrics
from iota_dagster.core.observability.exposition import FiguresCollector
from iota_dagster.core.observability.figure_source import Source
from iota_dagster.core.store.database import Database
from iota_dagster.dagster_figures import from_dagster
from iota_dagster.doctor_checks.finding import Check, Finding, failed, ok, skipped, warning
from iota_dagster.doctor_checks.parts import readable_store
from iota_dagster.doctor_checks.site import Site
from iota_dagster.home import prepare_home
from iota_dagster.readiness import Probes, probes
from iota_dagster.server import make_app, push, registry_of
from iota_dagster.settings import Settings, load_settings
from tests.app_server import get, ready, served
from tests.aws import Aws
from tests.platform.waiting import wait_until
from tests.road.world import TEN, World, drive, record

FOLDER = Path(__file__).parent.parent / "deploy" / "observability"


def check(name: str, *findings: Finding) -> Check:
    return Check(name, lambda: iter(findings))


def hanging(name: str, until: threading.Event, began: Callable[[], object]) -> Check:
    def run() -> Iterator[Finding]:
        began()
        until.wait()
        yield ok("at last")

    return Check(name, run)


def test_the_process_is_alive_whatever_else_is_wrong() -> None:
    with served(make_app(None, Probes([check("store", failed("down", "start it"))]))) as url:
        assert get(f"{url}/health") == (200, "application/json", '{"alive":true}')


def test_ready_means_that_no_check_has_failed() -> None:
    some = [check("store", ok("fine")), check("queue", skipped("none")), check("lake", warning("slow", "look"))]
    with served(make_app(None, Probes(some))) as url:
        assert ready(url) == (200, {"store": "ok", "queue": "skipped", "lake": "warning"})


def test_a_check_that_fails_is_named_with_its_reason() -> None:
    def broken() -> Iterator[Finding]:
        raise ValueError("no such\nhost")

    some = [check("store", ok("fine")), Check("queue", broken, lambda error: "correct queue_url")]
    with served(make_app(None, Probes(some))) as url:
        status, _, text = get(f"{url}/ready")
    assert status == 503
    assert json.loads(text)["checks"][1] == {
        "check": "queue",
        "status": "failed",
        "found": "no such host",
        "advice": "correct queue_url",
    }


def test_a_check_that_hangs_fails_in_time_and_is_not_begun_twice() -> None:
    release, begun = threading.Event(), []
    asked = Probes([hanging("queue", release, lambda: begun.append(1)), check("store", ok("fine"))], seconds=0.05)
    before = threading.active_count()
    for _ in range(5):
        found = asked.ask()
        assert not found.ready
        assert [finding.status.value for finding in found.findings] == ["failed", "ok"]
        assert found.findings[0].found == "no answer within 0.05 s"
    assert len(begun) == 1
    assert threading.active_count() <= before + 1
    release.set()
    wait_until(lambda: asked.ask().ready, "the check that hung is asked again", 10)


def test_health_is_answered_while_checks_hang() -> None:
    release = threading.Event()
    asked = Probes([hanging("queue", release, lambda: None)], seconds=5)
    with served(make_app(None, asked)) as url:
        waiting = threading.Thread(target=get, args=(f"{url}/ready",))
        waiting.start()
        assert get(f"{url}/health")[0] == 200
        release.set()
        waiting.join()


def test_metrics_are_shown_only_when_they_are_switched_on() -> None:
    with served(make_app(None, Probes([]))) as url:
        status, _, text = get(f"{url}/metrics")
    assert status == 404
    assert "ENABLE_METRICS=true" in text


def test_metrics_come_in_the_form_that_the_client_asks_for() -> None:
    registry = CollectorRegistry()
    events = Source("store", metrics.STORE_UP, lambda: {("iota_events_total", ("AWS.CloudTrail", "kept")): 3})
    registry.register(FiguresCollector([events]))
    with served(make_app(registry, Probes([]))) as url:
        _, plain, text = get(f"{url}/metrics")
        _, open_metrics, _ = get(f"{url}/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert plain.startswith("text/plain; version=")
    assert open_metrics.startswith("application/openmetrics-text")
    assert 'iota_events_total{log_type="AWS.CloudTrail",status="kept"} 3.0' in text


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"ENABLE_METRICS": "true"}, True),
        ({"IOTA_ENABLE_METRICS": "true"}, True),
        ({"ENABLE_METRICS": "true", "IOTA_ENABLE_METRICS": "false"}, False),
        ({"ENABLE_METRICS": ""}, False),
    ],
)
def test_metrics_are_switched_on_by_either_variable(environ: dict[str, str], expected: bool) -> None:
    assert load_settings(environ=environ).enable_metrics is expected


# ── over a real installation ──


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An installation with three events of one object."""
    world = World.at(tmp_path, f"sqlite:///{tmp_path}/iota.db")
    with world.opened() as platform:
        world.deliver(platform, {"a.json.gz": [record(str(number)) for number in range(3)]}, TEN)
        drive(platform, "run")
    return world


def settings(world: World, **more: Any) -> Settings:
    return Settings(home=world.home, store_url=world.store_url, rules=(world.rules,), **more)


def test_an_installation_is_ready_and_says_what_is_not(world: World) -> None:
    prepare_home(settings(world))
    with served(make_app(None, probes(Site(settings(world))))) as url:
        wait_until(lambda: ready(url)[0] == 200, "ready", 30, lambda: str(ready(url)))
        assert ready(url)[1] == {"store": "ok", "queue": "skipped", "lake": "ok", "rules": "ok", "daemon": "warning"}
        for rule in world.rules.iterdir():
            rule.unlink()
        wait_until(lambda: ready(url) == (503, ready(url)[1] | {"rules": "failed"}), "rules missed", 10)


def test_a_store_that_cannot_be_reached_is_neither_ready_nor_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    here = Settings(home=tmp_path / "home", store_url=f"sqlite:///{tmp_path}/file/iota.db", enable_metrics=True)
    with served(make_app(registry_of(here), probes(Site(here)))) as url:
        assert ready(url)[1]["store"] == "failed"
        assert "iota_store_up 0.0" in get(f"{url}/metrics")[2]
        assert get(f"{url}/health")[0] == 200


def test_a_store_that_somebody_else_writes_is_ready(world: World) -> None:
    database = Database(world.store_url)
    with database.begin():
        assert readable(Settings(home=world.home, store_url=world.store_url)).status == "ok"
    database.dispose()


def test_a_probe_makes_no_store(tmp_path: Path) -> None:
    here = Settings(home=tmp_path, store_url=f"sqlite:///{tmp_path}/iota.db")
    assert readable(here) == ok("sqlite, empty: the first command or run makes its tables")
    assert list(tmp_path.iterdir()) == []


def readable(settings: Settings) -> Finding:
    (found,) = readable_store(settings).run()
    return found


def test_dagsters_last_runs_and_heartbeats_are_shown_and_what_is_older_than_a_day_is_not(tmp_path: Path) -> None:
    here, now = Settings(home=tmp_path / "home"), datetime.now(UTC)
    with dg.DagsterInstance.from_config(str(prepare_home(here))) as instance:
        for age, status in ((0, dg.DagsterRunStatus.SUCCESS), (25, dg.DagsterRunStatus.FAILURE)):
            run = dg.DagsterRun(job_name="ingest", status=status)
            instance.run_storage.add_historical_run(run, now - timedelta(hours=age))
    found = from_dagster(here).read()
    assert {labels: value for (name, labels), value in found.items() if name == metrics.RUNS.name} == {("success",): 1}
    beats = {labels: value for (name, labels), value in found.items() if name == metrics.DAEMON_HEARTBEAT.name}
    assert beats
    assert set(beats.values()) == {0}


def test_a_dagster_whose_state_cannot_be_read_is_shown(world: World) -> None:
    here = settings(world, enable_metrics=True)
    assert "iota_dagster_up 1.0" in generate_latest(registry_of(here)).decode()  # it has never run
    (prepare_home(here) / "dagster.yaml").write_text("storage: nothing")
    text = generate_latest(registry_of(here)).decode()
    assert "iota_dagster_up 0.0" in text
    assert "iota_store_up 1.0" in text


def test_a_pushgateway_that_answers_nonsense_is_logged_and_pushed_to_again(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        answering = threading.Thread(target=answer_nonsense, args=(listening,))
        answering.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        push(url, CollectorRegistry())
        answering.join()
    assert f"{url} did not take the metrics: BadStatusLine" in caplog.text


def answer_nonsense(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(65_536)
        connection.sendall(b"nonsense\r\n\r\n")


def test_the_queue_is_looked_at(world: World, aws: Aws) -> None:
    sqs = aws.clients.sqs()
    queue_url = sqs.create_queue(QueueName=aws.name("queue"))["QueueUrl"]
    sqs.send_message(QueueUrl=queue_url, MessageBody="{}")
    there = settings(world, queue_url=queue_url, endpoint_url=aws.endpoint, region="us-east-1", enable_metrics=True)
    gone = there.model_copy(update={"queue_url": f"{queue_url}-gone"})
    with served(make_app(registry_of(there), probes(Site(there)))) as url:
        text = get(f"{url}/metrics")[2]
        assert ready(url)[1]["queue"] == "ok"
    with served(make_app(registry_of(gone), probes(Site(gone)))) as url:
        without = get(f"{url}/metrics")[2]
        assert ready(url)[1]["queue"] == "failed"
    assert 'iota_queue_depth{state="waiting"} 1.0' in text
    assert "iota_queue_up 1.0" in text
    assert "iota_queue_up 0.0" in without


@contextmanager
def command(world: World, **environ: str) -> Iterator[str]:
    """The address of `iota serve`, a process of its own."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("IOTA_", "DAGSTER_"))}
    own = {"IOTA_HOME": str(world.home), "IOTA_STORE_URL": world.store_url, "IOTA_RULES": f"[{world.rules}]"}
    iota = Path(sys.executable).with_name("iota")
    process = subprocess.Popen(
        [iota, "serve", "--port", "0"], env=keep | own | environ, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    try:
        lines = iter(process.stderr.readline, "")
        yield next(found[0] for line in lines if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait(30) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_the_command_serves_until_it_is_told_to_end(world: World) -> None:
    with command(world, ENABLE_METRICS="true") as url:
        assert get(f"{url}/health")[0] == 200
        assert 'iota_events_total{log_type="AWS.CloudTrail",status="kept"} 3.0' in get(f"{url}/metrics")[2]


def test_a_real_prometheus_reads_the_figures_and_takes_the_rules(world: World, tmp_path: Path) -> None:
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        missing = "no prometheus in PATH: install prometheus"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with command(world, ENABLE_METRICS="true") as url:
        config = (FOLDER / "prometheus.yml").read_text(encoding="utf-8")
        config = config.replace("127.0.0.1:9477", url.removeprefix("http://")).replace("15s", "1s")
        (tmp_path / "prometheus.yml").write_text(config.replace("10s", "1s").replace("30s", "1s"))
        shutil.copy(FOLDER / "iota-alerts.yml", tmp_path)
        with scraping(prometheus, tmp_path) as api:
            query = f"{api}/api/v1/query?query=iota_events_total"
            wait_until(lambda: bool(result(query)), "Prometheus has the events", 60)
            assert [(item["metric"]["status"], item["value"][1]) for item in result(query)] == [("kept", "3")]
            rules = json.loads(get(f"{api}/api/v1/rules")[2])["data"]["groups"][0]["rules"]
    assert len(rules) > 10


def result(query: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(get(query)[2])["data"]["result"]
    except (OSError, ValueError, KeyError):  # not up yet
        return []
    return found


@contextmanager
def scraping(binary: str, folder: Path) -> Iterator[str]:
    """The address of a Prometheus with the settings in a folder."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            binary,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
