from eks_helpers import audit_context, by_person, done, resource, target, user

DELETES = ("delete", "deletecollection")
PRECIOUS = (
    "namespaces",
    "deployments",
    "statefulsets",
    "daemonsets",
    "persistentvolumeclaims",
    "persistentvolumes",
    "secrets",
)


def rule(event):
    if event.get("verb") not in DELETES or resource(event) not in PRECIOUS:
        return False
    return done(event) and by_person(event)


def title(event):
    return f"{user(event)} deletes many objects of a cluster"


def dedup(event):
    return user(event)


def unique(event):
    return f"{resource(event)}/{target(event)}"


def alert_context(event):
    return audit_context(event)
