from field_helpers import items, mappings
from gcp_helpers import actor, failed, gcp_context, method, project, resource

LOGGING = "google.logging.v2.ConfigServiceV2."
REMOVALS = (f"{LOGGING}DeleteSink", f"{LOGGING}DeleteBucket", f"{LOGGING}CreateExclusion")


def rule(event):
    name = method(event)
    return name in REMOVALS or (name == f"{LOGGING}UpdateSink" and narrowed(event)) or bool(audit_removed(event))


def narrowed(event):
    sink = ("protoPayload", "request", "sink")
    return event.deep_get(*sink, "disabled") is True or bool(items(event, *sink, "exclusions"))


def audit_removed(event):
    """Data access logs that a change of an IAM policy switched off."""
    deltas = mappings(event, "protoPayload", "serviceData", "policyDelta", "auditConfigDeltas")
    return [delta for delta in deltas if delta.get("action") == "REMOVE"]


def title(event):
    verb = "tried to impair" if failed(event) else "impaired"
    return f"{actor(event)} {verb} logging in {project(event)}: {method(event).rpartition('.')[2]} {resource(event)}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return f"{project(event)}/{actor(event)}/{'failed' if failed(event) else 'done'}"


def alert_context(event):
    return gcp_context(event) | {"audit_logs_off": [delta.get("service") for delta in audit_removed(event)]}
