"""Kubernetes audit events (audit.k8s.io, all versions), as the control plane of EKS and other API servers write them.

A request gives an event at each of its stages. An event's time is that of its stage: the end of a watch or of a
session in a pod comes hours after the request, and is told when it happens.

The id that links the stages may come from the client (header `Audit-ID`). The server's own times, in microseconds, are
therefore part of the identity: or a request could pass itself off as a copy of an earlier one.
"""

from __future__ import annotations

from iota_dagster.core.sources.fields import Layout, found_in, integer, moment, structure, text, words
from iota_dagster.core.sources.finders import ARN, IP, PRINCIPAL, TRACE, USER, all_of
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.marks import TEXT_VALUE, Marks

_NAME = all_of(USER, ARN)  # who has no other name in the cluster goes by an ARN

_LAYOUT = Layout(
    (
        text("apiVersion", "Version of the record's format, e.g. audit.k8s.io/v1"),
        text("level", "How much is logged: Metadata, Request or RequestResponse"),
        text("auditID", "Id of the request, shared by the events of its stages", TRACE),
        text("stage", "RequestReceived, ResponseStarted, ResponseComplete or Panic"),
        text("verb", "What was asked: get, list, watch, create, update, patch, delete, …"),
        text("requestURI", "The path that was asked, with its parameters"),
        text("user.username", "Name of who asked", _NAME),
        text("user.uid", "The authenticator's id of who asked"),
        words("user.groups", "The groups of who asked"),
        text("impersonatedUser.username", "Name of whom the request acted as", _NAME),
        words("impersonatedUser.groups", "The groups that the request put on"),
        text("user.extra.arn[]", "ARN of who asked, where IAM knows them", PRINCIPAL),
        words("sourceIPs", "The addresses on the way, the client's first; all but the last are only claimed", IP),
        text("userAgent", "The client's user agent"),
        text("objectRef.resource", "The kind of object, e.g. pods"),
        text("objectRef.subresource", "What of it, e.g. exec"),
        text("objectRef.namespace", "The namespace of the object"),
        text("objectRef.name", "The name of the object"),
        text("objectRef.apiGroup", "The API group of the object"),
        text("objectRef.apiVersion", "The version of the API"),
        integer("responseStatus.code", "The status of the answer, as in HTTP"),
        text("responseStatus.status", "Success or Failure"),
        text("responseStatus.reason", "Why it failed, in a word"),
        text("responseStatus.message", "Why it failed, in words"),
        text(r"annotations.authorization\.k8s\.io/decision", "allow or forbid", name="authorization_decision"),
        text(r"annotations.authorization\.k8s\.io/reason", "Why it was allowed", name="authorization_reason"),
        moment("requestReceivedTimestamp", "When the request came (UTC)"),
        moment("stageTimestamp", "When the stage was reached (UTC)"),
        structure("user", "Who asked (JSON)"),
        structure("impersonatedUser", "Whom the request acted as (JSON)"),
        structure("annotations", "What admission and authorization added (JSON)"),
        structure("requestObject", "The object as it was sent (JSON)"),
        structure("responseObject", "The object as it was answered (JSON)"),
        moment("timestamp", "When the request came, in old versions (UTC)"),
        found_in("user.extra.canonicalArn[]", PRINCIPAL),
        found_in("user.extra.sessionName[]", USER),
    ),
    time=("stageTimestamp", "requestReceivedTimestamp", "timestamp"),
    identity=("auditID", "stage", "requestReceivedTimestamp", "stageTimestamp"),
)

SOURCE = JsonSource(
    "Amazon.EKS.Audit",
    "eks_audit_events",
    _LAYOUT,
    Marks({"auditID": TEXT_VALUE, "verb": TEXT_VALUE}),
    description="Requests to the API server of a Kubernetes cluster, and how they were answered",
)
