from eks_helpers import WRITES, audit_context, by_control_plane, done, resource, subjects, target, user
from field_helpers import text

BINDINGS = ("clusterrolebindings", "rolebindings")


def rule(event):
    if event.get("verb") not in WRITES or resource(event) not in BINDINGS:
        return False
    if not done(event) or by_control_plane(event):
        return False
    return role(event) == "cluster-admin" or "system:masters" in subjects(event)


def role(event):
    # A patch names its subjects only; the answer holds the whole binding.
    name = text(event, "requestObject", "roleRef", "name")
    return name or text(event, "responseObject", "roleRef", "name", default="unknown")


def title(event):
    return f"{user(event)} gave role {role(event)} to {', '.join(subjects(event)) or 'nobody'} ({target(event)})"


def severity(event):
    # A binding within a namespace gives everything in that namespace only.
    return "MEDIUM" if resource(event) == "rolebindings" else "DEFAULT"


def dedup(event):
    return f"{user(event)}/{target(event)}"


def alert_context(event):
    return audit_context(event) | {"role": role(event), "subjects": subjects(event)}
