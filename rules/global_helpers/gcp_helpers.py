"""What several rules ask of a Google Cloud audit entry."""

from field_helpers import mappings, number, text


def method(event):
    """The API method that was called."""
    return text(event, "protoPayload", "methodName")


def actor(event):
    """Who called it."""
    who = text(event, "protoPayload", "authenticationInfo", "principalEmail")
    return who or text(event, "protoPayload", "authenticationInfo", "principalSubject") or "an unknown principal"


def resource(event):
    """What it was called on."""
    return text(event, "protoPayload", "resourceName", default="unknown")


def project(event):
    """The project in which it happened; outside of projects the first parts of the log's name (organizations/123)."""
    return (
        text(event, "resource", "labels", "project_id") or "/".join(text(event, "logName").split("/")[:2]) or "unknown"
    )


def failed(event):
    """Whether the call failed or was denied."""
    return number(event, "protoPayload", "status", "code") != 0


def grants(event):
    """The (role, member) pairs that a change of an IAM policy added."""
    deltas = mappings(event, "protoPayload", "serviceData", "policyDelta", "bindingDeltas")
    return [(text(delta, "role"), text(delta, "member")) for delta in deltas if delta.get("action") == "ADD"]


def gcp_context(event):
    """What an analyst looks at first, the same in every alert."""
    metadata = ("protoPayload", "requestMetadata")
    return {
        "actor": actor(event),
        "error": event.deep_get("protoPayload", "status", "message"),
        "event_id": event.get("insertId"),
        "key": event.deep_get("protoPayload", "authenticationInfo", "serviceAccountKeyName"),
        "method": method(event),
        "project": project(event),
        "resource": resource(event),
        "source_ip": event.deep_get(*metadata, "callerIp"),
        "user_agent": event.deep_get(*metadata, "callerSuppliedUserAgent"),
    }
