"""Destinations that are services: what reaches them over the wire, and what is said when it does not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.alerting import outbox
from iota_dagster.core.alerting.deliver import deliver_due
from iota_dagster.core.alerting.destination import Destination, Unavailable, payload
from iota_dagster.core.aws.clients import ClientFactory, ClientOptions
from iota_dagster.core.errors import DeliveryFailed, Outage, SettingsError
from iota_dagster.core.store.alerts import record_matches
from iota_dagster.core.store.database import Database
from iota_dagster.destinations import AnyDestination, http
from iota_dagster.destinations.base import Means
from iota_dagster.destinations.slack import message
from iota_dagster.logging_setup import secrets_of
from iota_dagster.settings import load_settings
from tests.aws import REGION, Aws
from tests.core.alerting.cases import a_delivery, a_match, at
from tests.web_service import WebService, web_service

KEY = "whsec_" + base64.b64encode(b"a signing key of the test").decode()


@pytest.fixture
def service() -> Iterator[WebService]:
    with web_service() as service:
        yield service


def no_secret(name: str) -> str:
    raise Outage(f"the secret {name} cannot be read: there is no such secret in this account and region")


def opened(settings: dict[str, Any], secret: Any = no_secret, clients: ClientFactory | None = None) -> Destination:
    """The destination of these settings, as a platform opens it."""
    loaded = load_settings(None, {"IOTA_DESTINATIONS": json.dumps([{"name": "there"} | settings])})
    return loaded.destinations[0].open(Means(secret, clients or ClientFactory()))


def opened_at(kind: str, service: WebService, **more: Any) -> Destination:
    where = {"routing_key": "R0UTE", "endpoint": service.url} if kind == "pagerduty" else {"url": service.url}
    return opened({"type": kind} | where | more)


def test_a_webhook_gets_the_alert_as_json_under_the_delivery_s_id(service: WebService) -> None:
    delivery = a_delivery(title="Müller\u2028signed in")
    opened_at("webhook", service).send(delivery)
    (posted,) = service.posted
    assert json.loads(posted.body) == payload(delivery)
    assert posted.headers["webhook-id"] == delivery.id
    assert posted.headers["content-type"] == "application/json"
    assert "webhook-signature" not in posted.headers
    assert "authorization" not in posted.headers


def test_a_signed_webhook_can_be_verified_by_its_receiver(service: WebService) -> None:
    opened_at("webhook", service, signing_key=KEY).send(a_delivery())
    (posted,) = service.posted
    signed = f"{posted.headers['webhook-id']}.{posted.headers['webhook-timestamp']}.".encode() + posted.body
    expected = hmac.new(b"a signing key of the test", signed, hashlib.sha256).digest()
    version, _, text = posted.headers["webhook-signature"].partition(",")
    assert version == "v1"
    assert base64.b64decode(text) == expected
    sent_at = datetime.fromtimestamp(int(posted.headers["webhook-timestamp"]), UTC)
    assert abs(datetime.now(UTC) - sent_at) < timedelta(minutes=5)


def test_an_incident_of_pagerduty_is_known_by_the_alert_s_id(service: WebService) -> None:
    service.status = 202
    destination = opened_at("pagerduty", service)
    for name in ("d1", "d2"):  # the second is what a sender that died would send again
        destination.send(a_delivery(name, severity="CRITICAL", reference="https://example.com/why"))
    events = [json.loads(posted.body) for posted in service.posted]
    assert [event["dedup_key"] for event in events] == ["a1", "a1"]
    assert events[0]["routing_key"] == "R0UTE"
    assert events[0]["event_action"] == "trigger"
    assert events[0]["links"] == [{"href": "https://example.com/why", "text": "Reference"}]
    shown = events[0]["payload"]
    assert (shown["severity"], shown["summary"]) == ("critical", "Sign-in without MFA")
    assert (shown["source"], shown["class"]) == ("AWS.CloudTrail", "Console.NoMFA")
    assert shown["timestamp"] == "2026-11-22T10:01:30.000000Z"
    assert shown["custom_details"]["context"] == {"user": "alice"}


def test_a_message_in_slack_says_what_happened_how_bad_and_when(service: WebService) -> None:
    opened_at("slack", service).send(a_delivery(runbook="Ask alice.", matches=3))
    (posted,) = service.posted
    found = json.loads(posted.body)
    assert found["text"] == "HIGH: Sign-in without MFA"
    shown = json.dumps(found, ensure_ascii=False)
    for part in (
        "Console.NoMFA",
        "3 matches",
        "2026-11-22T10:00:00Z to 2026-11-22T10:01:30Z",
        "Ask alice.",
        "alert a1",
    ):
        assert part in shown


def texts(value: Any, kind: str | None = None) -> Iterator[tuple[str | None, str]]:
    """Each text of a message with the type of the block that it is in."""
    match value:
        case {"type": str(type_), "text": str(text)}:
            yield type_, text
        case dict():
            for key, inner in value.items():
                if key != "type":
                    yield from texts(inner)
        case list():
            for inner in value:
                yield from texts(inner)
        case str():
            yield kind, value


@given(st.text(max_size=400), st.dictionaries(st.text(max_size=20), st.text(max_size=5_000), max_size=3))
def test_nothing_that_an_attacker_writes_steers_slack_or_is_too_long_for_it(
    title: str, context: dict[str, str]
) -> None:
    hostile = a_delivery(title=f"<!channel> {title}", context=context, description="<@U123> " * 1_000, dedup=title)
    found = message(hostile)
    for kind, text in texts(found):
        assert kind == "plain_text" or "<" not in text
        assert 0 < len(text) <= 3_000
    header = found["blocks"][0]
    assert header["type"] == "header"
    assert len(header["text"]["text"]) <= 150
    assert json.dumps(found).isascii()


def test_a_topic_of_sns_gets_the_alert_and_what_subscriptions_filter_by(aws: Aws) -> None:
    sns, sqs = aws.clients.client("sns"), aws.clients.sqs()
    topic = sns.create_topic(Name=aws.name("alerts"))["TopicArn"]
    queue = sqs.create_queue(QueueName=aws.name("subscriber"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"severity": ["HIGH"]})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"FilterPolicy": policy})
    destination = opened({"type": "sns", "topic_arn": topic}, clients=aws.clients)
    for name, severity in (("d1", "HIGH"), ("d2", "LOW")):
        destination.send(a_delivery(name, severity=severity, title="Anmeldung für\nalice"))
    (received,) = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    body = json.loads(received["Body"])
    assert json.loads(body["Message"])["delivery_id"] == "d1"
    assert body["Subject"] == "HIGH: Anmeldung f?r\\nalice"
    assert body["MessageAttributes"]["rule_id"]["Value"] == "Console.NoMFA"


def test_a_fifo_topic_takes_a_repeated_delivery_once(aws: Aws) -> None:
    sns, sqs = aws.clients.client("sns"), aws.clients.sqs()
    topic = sns.create_topic(Name=f"{aws.name('alerts')}.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    queue = sqs.create_queue(QueueName=f"{aws.name('subscriber')}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    destination = opened({"type": "sns", "topic_arn": topic}, clients=aws.clients)
    destination.send(a_delivery())
    destination.send(a_delivery())
    assert len(sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]) == 1


def test_a_topic_that_is_not_there_is_said(aws: Aws) -> None:
    arn = f"arn:aws:sns:{REGION}:123456789012:nowhere"
    with pytest.raises(DeliveryFailed, match=r"there: .*NotFound"):
        opened({"type": "sns", "topic_arn": arn}, clients=aws.clients).send(a_delivery())


def test_a_topic_that_cannot_be_reached_is_unavailable() -> None:
    nobody = ClientFactory(ClientOptions(endpoint_url="http://127.0.0.1:1"))
    with pytest.raises(Unavailable, match=r"there: Could not connect"):
        opened({"type": "sns", "topic_arn": f"arn:aws:sns:{REGION}:123456789012:x"}, clients=nobody).send(a_delivery())


@pytest.mark.parametrize("kind", ["webhook", "slack", "pagerduty"])
@pytest.mark.parametrize("status", [301, 403, 429, 500])
def test_a_refusal_is_told_without_the_url_and_may_be_tried_again(service: WebService, kind: str, status: int) -> None:
    service.status, service.answer = status, b"invalid\x1b[2Jtoken " + b"x" * 10_000
    service.headers = {"Location": "https://elsewhere.example.com/"}
    with pytest.raises(DeliveryFailed, match=rf"there: 127.0.0.1 answers {status} (Moved|.*: invalid)") as caught:
        opened_at(kind, service).send(a_delivery())
    assert caught.value.retry_helps
    assert isinstance(caught.value, Unavailable) == (status == 429)
    assert "secret-path" not in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    assert len(service.posted) == 1


@pytest.mark.parametrize(
    "answer", [b"Cannot POST /services/T000/secret-path", rb"{\"at\": \"\/secret-path\"}", b"%73ecret-path", b"R0UTE?"]
)
def test_an_answer_that_repeats_a_secret_is_not_quoted(service: WebService, answer: bytes) -> None:
    service.status, service.answer = 404, answer
    with pytest.raises(DeliveryFailed) as caught:
        opened_at("pagerduty", service).send(a_delivery())
    assert str(caught.value) == "there: 127.0.0.1 answers 404"


@pytest.mark.parametrize(
    ("user", "query", "answer"),
    [
        ("", "?token=S3CR3T-abcdef", b"invalid token S3CR3T-abcdef"),
        ("", "?a=b&token=S3CR3T%2Fabc+def", b"invalid token S3CR3T/abc def"),
        ("", "?S3CR3T&a=b", b"no such key: S3CR3T"),
        ("", "?key=S3CR%5C3T", rb"no such key: S3CR\\3T"),
        ("alice:pa%3Ass%40word@", "", b"wrong: pa:ss@word"),
        ("al%69ce:p@", "", b"who is alice?"),
        ("alice:s3cret@", "", b"you sent: Basic YWxpY2U6czNjcmV0"),
    ],
)
def test_an_answer_that_repeats_a_secret_of_the_url_is_not_quoted(
    service: WebService, user: str, query: str, answer: bytes
) -> None:
    service.status, service.answer = 403, answer
    with pytest.raises(DeliveryFailed) as caught:
        opened({"type": "webhook", "url": service.url.replace("//", f"//{user}") + query}).send(a_delivery())
    assert str(caught.value) == "there: 127.0.0.1 answers 403"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("alice:s3cret", "alice:s3cret"), ("ülf%40b:p%3Aß", "ülf@b:p:ß"), ("token", "token:"), (":s3cret", ":s3cret")],
)
def test_a_user_and_a_password_in_a_url_are_sent_as_basic_authentication(
    service: WebService, written: str, meant: str
) -> None:
    opened({"type": "webhook", "url": service.url.replace("//", f"//{written}@")}).send(a_delivery())
    (posted,) = service.posted
    assert posted.headers["authorization"] == "Basic " + base64.b64encode(meant.encode()).decode()
    assert posted.path == "/services/T000/secret-path"


def test_an_answer_whose_end_never_comes_tells_its_status(service: WebService) -> None:
    service.status, service.promised = 500, 1_000_000
    with pytest.raises(DeliveryFailed, match=r"there: .* answers 500 Internal Server Error: ok"):
        opened_at("slack", service).send(a_delivery())


@pytest.mark.parametrize("kind", ["webhook", "slack", "pagerduty"])
def test_a_service_that_is_away_is_told_without_the_url(kind: str) -> None:
    with web_service() as gone:
        destination = opened_at(kind, gone)
    with pytest.raises(Unavailable, match=r"there: 127\.0\.0\.1 cannot be reached") as caught:
        destination.send(a_delivery())
    assert "secret-path" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_service_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_READ", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        destination = opened({"type": "webhook", "url": f"http://127.0.0.1:{silent.getsockname()[1]}/secret-path"})
        with pytest.raises(Unavailable, match=r"there: 127\.0\.0\.1 does not answer within 0\.1 s$"):
            destination.send(a_delivery())


def test_a_secret_is_read_when_an_alert_is_sent_and_waited_for(service: WebService) -> None:
    named = {"type": "slack", "url_secret": "slack/url"}
    with pytest.raises(Unavailable, match="there: the secret slack/url cannot be read"):
        opened(named).send(a_delivery())
    opened(named, secret={"slack/url": service.url}.__getitem__).send(a_delivery())
    assert len(service.posted) == 1


def test_a_secret_that_cannot_be_read_is_not_asked_for_by_each_delivery() -> None:
    asked: list[str] = []

    def hanging(name: str) -> str:
        asked.append(name)
        raise Outage("no answer")

    destination = opened({"type": "slack", "url_secret": "slack/url"}, secret=hanging)
    for _ in range(3):
        with pytest.raises(DeliveryFailed, match="there: no answer"):
            destination.send(a_delivery())
    assert asked == ["slack/url"]


@pytest.mark.parametrize("kind", ["webhook", "slack"])
def test_a_secret_that_is_no_url_is_an_error_that_does_not_show_it(kind: str) -> None:
    destination = opened({"type": kind, "url_secret": "the/url"}, secret=lambda name: "xoxb-not-a-url")
    with pytest.raises(DeliveryFailed, match="expected a URL that starts with https://") as caught:
        destination.send(a_delivery())
    assert "xoxb" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"type": "slack"}, "there: expected either url or url_secret"),
        ({"type": "slack", "url": "https://a.example.com/x", "url_secret": "b"}, "either url or url_secret"),
        ({"type": "webhook", "url": "http://alerts.example.com/hidden"}, "a URL that starts with https://"),
        (
            {"type": "webhook", "url": "https://a.example.com/x", "signing_key": "whsec_###"},
            "whsec_<base64 of 24 bytes or more>",
        ),
        ({"type": "webhook", "url": "https://a.example.com/x", "signing_key": "whsec_"}, "of 24 bytes or more"),
        ({"type": "webhook", "url": "https://a.example.com/x", "signing_key": ""}, "signing_key"),
        ({"type": "slack", "url": ""}, "url"),
        ({"type": "pagerduty", "routing_key": ""}, "routing_key"),
        ({"type": "pagerduty"}, "expected either routing_key or routing_key_secret"),
        ({"type": "pagerduty", "routing_key": "R", "endpoint": "ftp://example.com"}, "starts with https://"),
        ({"type": "sns", "topic_arn": "arn:aws:sqs:us-east-1:123456789012:queue"}, "topic_arn"),
        ({"type": "pager"}, "'json_lines', 'slack', 'pagerduty', 'sns', 'webhook'"),
    ],
)
def test_wrong_settings_are_explained_without_a_secret(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        opened(settings)
    assert complaint in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_the_example_of_the_page_about_destinations_is_taken_as_it_stands(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "destinations.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    file = tmp_path / "iota.yaml"
    file.write_text(example)
    settings = load_settings(file, {})
    kinds = {item.type for item in settings.destinations}
    assert kinds == {kind.model_fields["type"].annotation.__args__[0] for kind in get_args(get_args(AnyDestination)[0])}
    assert settings.routing["HIGH"] == ("security", "soar", "alerts_file")


def test_no_secret_is_in_what_settings_and_destinations_print_of_themselves() -> None:
    secrets = {"url": "https://hooks.example.com/secret-path", "signing_key": KEY}
    loaded = load_settings(
        None,
        {
            "IOTA_DESTINATIONS": json.dumps(
                [
                    {"type": "webhook", "name": "hook"} | secrets,
                    {"type": "pagerduty", "name": "pager", "routing_key": "R0UTE"},
                ]
            )
        },
    )
    destinations = [item.open(Means(no_secret, ClientFactory())) for item in loaded.destinations]
    assert {"https://hooks.example.com/secret-path", KEY, "R0UTE"} <= set(secrets_of(loaded))
    shown = f"{loaded!r} {loaded} {destinations!r}"
    assert not [text for text in ("secret-path", KEY, "R0UTE") if text in shown]


@given(st.dictionaries(st.text(max_size=300), st.integers(0, 40_000), max_size=12))
def test_an_alert_of_any_size_is_told_within_the_bound(sizes: dict[str, int]) -> None:
    delivery = a_delivery(context={name: "é" * size for name, size in sizes.items()})
    found = payload(delivery, 50_000)
    assert len(json.dumps(found)) <= 50_000
    assert set(found["context"]) <= set(sizes)
    if found["context"] == delivery.alert.context:
        assert "context_left_out" not in found
    else:
        assert len(found["context_left_out"]) == len(sizes) - len(found["context"])


def test_a_service_that_comes_back_gets_each_alert_once(store: Database, service: WebService) -> None:
    moment = at(5)
    destinations = [opened_at("webhook", service)]
    with store.begin() as connection:
        record_matches(
            connection,
            "batch",
            [a_match("e1", 0)],
            notify=lambda match: True,
            now=moment,
            notify_within=timedelta(hours=24),
            route=lambda alert, named: ("there",),
        )
    service.status = 503
    assert deliver_due(store, destinations, "me", clock=lambda: moment).retried == 1
    service.status = 200
    assert deliver_due(store, destinations, "me", clock=lambda: moment).total.sent == 0  # not due yet
    later = moment + outbox.DEFAULT_RETRY.wait(1)
    for _ in range(2):
        deliver_due(store, destinations, "me", clock=lambda: later)
    first, second = service.posted
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
