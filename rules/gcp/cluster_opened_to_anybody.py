from field_helpers import mappings, text
from gcp_helpers import actor, failed, gcp_context, method, project, resource

BINDINGS = (".clusterrolebindings.", ".rolebindings.")
WRITES = (".create", ".update", ".patch")
# In GKE every owner of a Google account in the world is "authenticated".
ANYBODY = ("system:anonymous", "system:unauthenticated", "system:authenticated")


def rule(event):
    name = method(event)
    if not name.endswith(WRITES) or not any(part in name for part in BINDINGS) or failed(event):
        return False
    return bool(subjects(event))


def subjects(event):
    found = mappings(event, "protoPayload", "request", "subjects")
    return [text(subject, "name") for subject in found if subject.get("name") in ANYBODY]


def role(event):
    return text(event, "protoPayload", "request", "roleRef", "name", default="a role")


def title(event):
    cluster = text(event, "resource", "labels", "cluster_name", default="unknown")
    return f"{actor(event)} bound {role(event)} to {', '.join(subjects(event))} in GKE cluster {cluster}"


def dedup(event):
    return f"{project(event)}/{resource(event)}"


def alert_context(event):
    return gcp_context(event) | {"role": role(event), "subjects": subjects(event)}
