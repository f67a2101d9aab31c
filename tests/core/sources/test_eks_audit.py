"""Kubernetes audit events: stages of a request, versions of the format, and ids that a client may choose."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from iota_dagster.core.sources.eks_audit import SOURCE
from tests.core.sources.cases import columns, indicators, row, text_of, writings

ARN = "arn:aws:sts::111122223333:assumed-role/admin/ann@example.com"
ROLE = "arn:aws:iam::111122223333:role/admin"
RECORD: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "RequestResponse",
    "auditID": "2028e1f9-4561-4668-9df4-bc0dcd3ae11b",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/default/pods/web/exec?command=sh",
    "verb": "create",
    "user": {
        "username": "ann",
        "uid": "aws-iam-authenticator:111122223333:AROAEXAMPLE",
        "groups": ["system:authenticated", "ops"],
        "extra": {
            "accessKeyId": ["ASIAEXAMPLE"],
            "arn": [ARN],
            "canonicalArn": [ROLE],
            "sessionName": ["ann@example.com"],
        },
    },
    "impersonatedUser": {"username": "system:admin", "groups": ["system:masters"]},
    "sourceIPs": ["203.0.113.45", "10.0.0.7"],
    "userAgent": "kubectl/v1.32.5",
    "objectRef": {
        "resource": "pods",
        "namespace": "default",
        "name": "web",
        "apiGroup": "core",
        "apiVersion": "v1",
        "subresource": "exec",
    },
    "responseStatus": {"metadata": {}, "code": 403, "status": "Failure", "reason": "Forbidden", "message": "no"},
    "requestObject": {"kind": "PodExecOptions"},
    "responseObject": {"kind": "Status"},
    "requestReceivedTimestamp": "2024-03-14T09:26:53.702110Z",
    "stageTimestamp": "2024-03-14T11:00:00.704223Z",
    "annotations": {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": "RBAC"},
}
OLD = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1beta1",
    "metadata": {"creationTimestamp": "2018-10-26T09:55:02Z"},
    "timestamp": "2018-10-26T09:55:02Z",
    "auditID": "87bac0ec-53ca-429b-a646-47a7e72ec075",
    "verb": "get",
    "user": {"username": "system:anonymous"},
}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, RECORD))
    for name in ("apiVersion", "level", "auditID", "stage", "verb", "requestURI", "sourceIPs", "userAgent"):
        assert found[name] == RECORD[name]
    for name, values in (("user", RECORD["user"]), ("impersonatedUser", RECORD["impersonatedUser"])):
        assert {key: found[f"{name}_{key}"] for key in ("username", "groups")} == {
            key: values[key] for key in ("username", "groups")
        }
    assert {f"objectRef_{name}": value for name, value in RECORD["objectRef"].items()}.items() <= found.items()
    assert (found["user_uid"], found["user_extra_arn"]) == (RECORD["user"]["uid"], [ARN])
    assert (found["responseStatus_code"], found["responseStatus_reason"]) == (403, "Forbidden")
    assert (found["authorization_decision"], found["authorization_reason"]) == ("forbid", "RBAC")
    assert found["requestReceivedTimestamp"] == datetime(2024, 3, 14, 9, 26, 53, 702110, UTC)
    assert found["requestObject"] == '{"kind":"PodExecOptions"}'
    assert found["annotations"].startswith('{"authorization.k8s.io/decision"')


def test_an_event_happens_when_its_stage_is_reached() -> None:
    begun = {**RECORD, "stage": "RequestReceived", "stageTimestamp": RECORD["requestReceivedTimestamp"]}
    assert row(SOURCE, begun)["time"] == datetime(2024, 3, 14, 9, 26, 53, 702110, UTC)
    assert row(SOURCE, RECORD)["time"] == datetime(2024, 3, 14, 11, 0, 0, 704223, UTC)


def test_without_its_stages_time_an_event_has_that_of_the_request() -> None:
    assert row(SOURCE, RECORD, stageTimestamp=None)["time"] == datetime(2024, 3, 14, 9, 26, 53, 702110, UTC)
    assert row(SOURCE, OLD)["time"] == datetime(2018, 10, 26, 9, 55, 2, tzinfo=UTC)


def test_the_stages_of_a_request_and_requests_under_one_id_are_events_of_their_own() -> None:
    later = {"requestReceivedTimestamp": "2024-03-14T10:26:53.702111Z"}
    changes: list[dict[str, Any]] = [{}, {"stage": "ResponseStarted"}, later]
    assert len({row(SOURCE, RECORD, **change)["id"] for change in changes}) == 3
    assert row(SOURCE, RECORD)["id"] == (
        '["2028e1f9-4561-4668-9df4-bc0dcd3ae11b","ResponseComplete",'
        '"2024-03-14T09:26:53.702110Z","2024-03-14T11:00:00.704223Z"]'
    )


@pytest.mark.parametrize("lacking", ["auditID", "stage", "stageTimestamp", "requestReceivedTimestamp"])
def test_a_trimmed_event_is_known_by_its_place(lacking: str) -> None:
    assert "id" not in row(SOURCE, RECORD, **{lacking: None})


def test_indicators_name_who_asked_and_whom_they_acted_as() -> None:
    assert indicators(row(SOURCE, RECORD)) == {
        "ip_addresses": ["203.0.113.45", "10.0.0.7"],
        "emails": ["ann@example.com"],
        "usernames": ["ann", "system:admin", "admin", "ann@example.com"],
        "aws_arns": [ARN, ROLE],
        "aws_account_ids": ["111122223333"],
        "trace_ids": ["2028e1f9-4561-4668-9df4-bc0dcd3ae11b"],
    }


def test_a_node_is_found_as_its_instance() -> None:
    arn = "arn:aws:sts::111122223333:assumed-role/node/i-0123456789abcdef0"
    found = indicators(row(SOURCE, RECORD, user={"username": arn, "extra": {"arn": [arn]}}))
    assert found["aws_instance_ids"] == ["i-0123456789abcdef0"]
    assert found["aws_arns"] == [arn]
    assert found["usernames"] == [arn, "system:admin", "node"]


def test_an_event_is_known_however_it_is_written() -> None:
    bare = {"auditID": "a", "verb": "get"}
    assert all(SOURCE.accepts(text) for record in (RECORD, OLD, bare) for text in writings(record))
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {}}
    event = {"kind": "Event", "apiVersion": "v1", "verb": "create", "involvedObject": {}}
    for other in ({}, pod, event, {"protoPayload": RECORD}, {"message": "auditID"}):
        assert not SOURCE.accepts(text_of(other))


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, user=["ann"], sourceIPs="203.0.113.45", responseStatus={"code": "soon"}))
    assert not [name for name in found if name.startswith(("user_", "sourceIPs", "responseStatus_"))]
    assert (found["user"], found["verb"]) == ('["ann"]', "create")


def test_a_record_that_nests_too_deep_is_rejected() -> None:
    deep = b'{"auditID":"a","verb":"get","requestObject":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert list(SOURCE.read_many([text_of(OLD), deep]).rejected) == [1]
