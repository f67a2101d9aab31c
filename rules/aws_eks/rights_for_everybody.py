from eks_helpers import WRITES, audit_context, by_control_plane, done, resource, subjects, target, user
from field_helpers import text

BINDINGS = ("clusterrolebindings", "rolebindings")
EVERYBODY = ("system:anonymous", "system:unauthenticated", "system:authenticated")


def rule(event):
    if event.get("verb") not in WRITES or resource(event) not in BINDINGS:
        return False
    return done(event) and not by_control_plane(event) and bool(everybody(event))


def everybody(event):
    return [name for name in subjects(event) if name in EVERYBODY]


def title(event):
    return f"{user(event)} gave rights to {', '.join(everybody(event))} by {target(event)}"


def severity(event):
    # Everybody who signs in at all is fewer than everybody.
    return "HIGH" if everybody(event) == ["system:authenticated"] else "DEFAULT"


def alert_context(event):
    role = text(event, "requestObject", "roleRef", "name")
    return audit_context(event) | {"role": role, "subjects": subjects(event)}
