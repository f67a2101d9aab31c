from gcp_helpers import actor, failed, gcp_context, method, project, resource

LIFTED = ("ClearOrgPolicy", "google.cloud.orgpolicy.v2.OrgPolicy.DeletePolicy")
CHANGED = ("SetOrgPolicy", "google.cloud.orgpolicy.v2.OrgPolicy.UpdatePolicy")


def rule(event):
    name = method(event)
    return (name in LIFTED or name in CHANGED) and not failed(event)


def title(event):
    verb = "lifted" if method(event) in LIFTED else "changed"
    return f"{actor(event)} {verb} the organization policy {resource(event)}"


def severity(event):
    return "HIGH" if method(event) in LIFTED else "DEFAULT"


def dedup(event):
    return f"{project(event)}/{actor(event)}"


def alert_context(event):
    policy = event.deep_get("protoPayload", "request", "policy")
    return gcp_context(event) | {"policy": policy.to_dict() if hasattr(policy, "to_dict") else policy}
