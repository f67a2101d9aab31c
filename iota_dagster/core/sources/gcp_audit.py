"""Google Cloud audit logs: who did what, in admin activity, data access, system event and policy denied logs.

Entries come as Cloud Logging writes them, and as BigQuery exports them: there the payload has another key, and columns
of its own here, since rules too see it where it stands.
"""

from __future__ import annotations

import re

from iota_dagster.core.sources.columns import NO_WORDS, Words
from iota_dagster.core.sources.fields import flag, found_in, integer, structure, text, words
from iota_dagster.core.sources.finders import DOMAIN, EMAIL, IP, TRACE, USER, Finder
from iota_dagster.core.sources.gcp_log_entry import Entry, EntryMarks, LogEntrySource, Payload, entry_layout

_METHOD = re.compile(r"(?:v[0-9]\w*|alpha|beta)\.\w+\.|google\.|io\.k8s\.")


def _member(member: str) -> tuple[Words, Words, Words]:
    """Whom an IAM policy names: `user:ann@example.com`, `domain:example.com`, `principal://…`, also deleted ones."""
    member = member.removeprefix("deleted:").partition("?uid=")[0]
    kind, _, name = member.partition(":")
    if kind == "domain":
        return NO_WORDS, NO_WORDS, DOMAIN.find(name)[0]
    if kind in ("user", "serviceAccount", "group"):
        names, emails = USER.find(name)
        return names, emails, NO_WORDS
    return ((member,) if kind in ("principal", "principalSet") else NO_WORDS), NO_WORDS, NO_WORDS


_MEMBER = Finder((*USER.gives, *DOMAIN.gives), _member)
_WHO, _FROM = "protoPayload.authenticationInfo", "protoPayload.requestMetadata"
_EXPORT = "protopayload_auditlog"
_LOG = "cloudaudit.googleapis.com"

_LAYOUT = entry_layout(
    text("protoPayload.serviceName", "The API that was called, e.g. iam.googleapis.com"),
    text("protoPayload.methodName", "The method that was called, e.g. SetIamPolicy"),
    text("protoPayload.resourceName", "What it was called on"),
    text(f"{_WHO}.principalEmail", "Address of who called", USER),
    text(f"{_WHO}.principalSubject", "Who called, with the kind of identity", _MEMBER),
    text(f"{_WHO}.serviceAccountKeyName", "The service account's key that was used"),
    text(
        f"{_WHO}.serviceAccountDelegationInfo[].principalSubject",
        "Who acted through the service account, in order",
        _MEMBER,
    ),
    text(f"{_FROM}.callerIp", "Where the call came from; private or gce-internal-ip where Google hides it", IP),
    text(f"{_FROM}.callerSuppliedUserAgent", "The caller's user agent"),
    text(f"{_FROM}.callerNetwork", "VPC network of the caller"),
    integer("protoPayload.status.code", "Code of the error (google.rpc.Code); absent or 0 where it went well"),
    text("protoPayload.status.message", "The error in words"),
    text(
        "protoPayload.authorizationInfo[].permission",
        "The permissions that were asked for",
    ),
    structure("protoPayload.authorizationInfo", "The permissions, on what, and whether they were granted (JSON)"),
    structure("protoPayload.request", "The request, without what is large or secret (JSON)"),
    structure("protoPayload.response", "The answer (JSON)"),
    structure("protoPayload.metadata", "More about the event, by service (JSON)"),
    structure("protoPayload.serviceData", "The same of older services; changes of IAM policies (JSON)"),
    words("protoPayload.resourceLocation.currentLocations", "Where what it was called on lies"),
    text("operation.id", "Id of a long-running operation, shared by its entries", TRACE),
    flag("operation.first", "Whether it is the operation's first entry"),
    flag("operation.last", "Whether it is the operation's last entry"),
    text(f"{_EXPORT}.serviceName", "The API that was called, in exports of BigQuery"),
    text(f"{_EXPORT}.methodName", "The method that was called, in exports of BigQuery"),
    text(f"{_EXPORT}.resourceName", "What it was called on, in exports of BigQuery"),
    text(f"{_EXPORT}.authenticationInfo.principalEmail", "Address of who called, in exports of BigQuery", USER),
    text(f"{_EXPORT}.requestMetadata.callerIp", "Where the call came from, in exports of BigQuery", IP),
    structure(_EXPORT, "The payload in exports of BigQuery (JSON)"),
    text("methodName", "The method that was called, of a payload without its entry"),
    found_in(f"{_WHO}.serviceAccountDelegationInfo[].firstPartyPrincipal.principalEmail", USER),
    found_in("protoPayload.serviceData.policyDelta.bindingDeltas[].member", _MEMBER),
    found_in("protoPayload.metadata.event[].parameter[].value", EMAIL),
    found_in("protoPayload.response.email", EMAIL),
    found_in("resource.labels.email_id", EMAIL),
    found_in(f"{_EXPORT}.authenticationInfo.principalSubject", _MEMBER),
)


def _is_audit(entry: Entry) -> bool:
    payload = entry.proto or entry.exported
    if payload is not None:
        return _is_payload(payload, entry.log_name)
    if entry.json is not None or entry.text is not None or entry.http is not None:
        return False
    alone = entry.resource is None and not entry.log_name
    return (alone and _METHOD.match(entry.method) is not None) or _LOG in entry.log_name


def _is_payload(payload: Payload, log_name: str) -> bool:
    """By its type; one without by what it says, or by the log that it is in."""
    if payload.type_url:
        return payload.type_url.endswith("google.cloud.audit.AuditLog")
    return bool(payload.method or payload.service) or _LOG in log_name


SOURCE = LogEntrySource(
    "GCP.AuditLog",
    "gcp_audit_events",
    _LAYOUT,
    EntryMarks(
        "protoPayload (or protopayload_auditlog) of the type google.cloud.audit.AuditLog, or without a type but with "
        "methodName or serviceName; else, without any payload, a logName of cloudaudit.googleapis.com, or alone the "
        "methodName of a Google API",
        _is_audit,
        2,
    ),
    description="Calls of Google Cloud's APIs: administration, access to data, system events and denials",
    key=r"cloudaudit\.googleapis\.com",
)
