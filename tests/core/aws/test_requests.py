"""Requests to AWS: counted by how they end, evenly paced, and fewer after an answer that throttles."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.retries.throttling import CubicCalculator
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.aws.clients import ClientFactory, ClientOptions
from iota_dagster.core.aws.requests import Pace, RequestCount, RequestCounts
from tests.aws import Answer, Asked, Aws, own_session, s3_error


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def test_callers_that_are_too_early_wait_for_their_turn() -> None:
    time = Time()
    pace, turns = Pace(4, time, time.sleep), []
    for _ in range(5):
        pace.wait()
        turns.append(time.now)
    assert turns == [100, 100.25, 100.5, 100.75, 101]


@given(
    st.floats(0.5, 100, allow_subnormal=False),
    st.lists(st.floats(0, 3, allow_subnormal=False), min_size=1, max_size=60),
)
def test_no_second_sees_more_requests_than_are_allowed(per_second: float, pauses: list[float]) -> None:
    time = Time()
    pace, turns = Pace(per_second, time, time.sleep), []
    for pause in pauses:
        time.now += pause
        pace.wait()
        turns.append(time.now)
    assert all(later - earlier >= 1 / per_second - 1e-9 for earlier, later in itertools.pairwise(turns))


def test_threads_take_turns_and_sleep_side_by_side() -> None:
    slept: list[float] = []
    pace = Pace(10, lambda: 0.0, slept.append)
    threads = [threading.Thread(target=pace.wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(slept) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])


@pytest.fixture
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's waiting takes no time: retries come at once, and its own limiter sees ten seconds pass each time."""
    seconds = itertools.count(0, 10)
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    monkeypatch.setattr("botocore.retries.bucket.Clock.current_time", lambda _: float(next(seconds)))


def counted(endpoint: str, *, adaptive: bool = False, attempts: int = 5) -> tuple[ClientFactory, RequestCounts]:
    counts = RequestCounts()
    options = ClientOptions(endpoint_url=endpoint, adaptive=adaptive, attempts=attempts)
    return ClientFactory(options, own_session, counts.watch), counts


def throttles(times: int, answer: Answer) -> Callable[[Asked], Answer | None]:
    """The first `times` requests are answered so, by threads one after the other."""
    left = iter(range(times))
    return lambda _: answer if next(left, None) is not None else None


SLOW_DOWN = s3_error(503, "SlowDown", "Please reduce your request rate.")


@pytest.mark.usefixtures("no_delays")
def test_every_attempt_is_counted_by_how_it_ends(aws: Aws) -> None:
    bucket = aws.bucket()
    clients, counts = counted(aws.endpoint)
    with aws.disturbed_by(throttles(2, SLOW_DOWN)):
        clients.s3().put_object(Bucket=bucket, Key="key", Body=b"x")
    with pytest.raises(ClientError):
        clients.s3().get_object(Bucket=bucket, Key="nothing")
    clients.sts().get_caller_identity()
    assert counts.by_operation() == {
        ("s3", "PutObject"): RequestCount(requests=3, throttled=2),
        ("s3", "GetObject"): RequestCount(requests=1, errors=1),
        ("sts", "GetCallerIdentity"): RequestCount(requests=1),
    }
    assert counts.total() == RequestCount(requests=5, throttled=2, errors=1)


@pytest.mark.usefixtures("no_delays")
def test_a_head_that_is_throttled_has_only_its_status_to_say_so(aws: Aws) -> None:
    bucket = aws.bucket()
    clients, counts = counted(aws.endpoint)
    with aws.disturbed_by(throttles(1, Answer(503))):
        clients.s3().head_bucket(Bucket=bucket)
    assert counts.total() == RequestCount(requests=2, throttled=1)


def test_a_request_without_an_answer_is_an_error() -> None:
    clients, counts = counted("http://127.0.0.1:1", attempts=1)
    with pytest.raises(EndpointConnectionError):
        clients.s3().list_buckets()
    assert counts.total() == RequestCount(requests=1, errors=1)


@pytest.mark.usefixtures("no_delays")
@pytest.mark.parametrize(("adaptive", "slower"), [(True, 2), (False, 0)])
def test_slow_down_makes_an_adaptive_client_send_less(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, adaptive: bool, slower: int
) -> None:
    found: list[float] = []
    original = CubicCalculator.error_received

    def error_received(self: CubicCalculator, rate: float, now: float) -> float:
        found.append(rate)
        return float(original(self, rate, now))

    monkeypatch.setattr(CubicCalculator, "error_received", error_received)
    clients, counts = counted(aws.endpoint, adaptive=adaptive)
    with aws.disturbed_by(throttles(2, SLOW_DOWN)):
        clients.s3().list_buckets()
    assert counts.total() == RequestCount(requests=3, throttled=2)
    assert len(found) == slower


def test_a_paced_client_waits_before_every_request(aws: Aws) -> None:
    slept: list[float] = []
    pace = Pace(0.5, lambda: 0.0, slept.append)
    clients = ClientFactory(ClientOptions(endpoint_url=aws.endpoint), own_session, pace.watch)
    for _ in range(3):
        clients.sts().get_caller_identity()
    assert slept == [2, 4]
