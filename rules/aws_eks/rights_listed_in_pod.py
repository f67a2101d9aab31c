from eks_helpers import TOOLS, audit_context, resource, user
from field_helpers import text

PREFIX = "system:serviceaccount:"


def rule(event):
    if event.get("verb") != "create" or resource(event) != "selfsubjectrulesreviews":
        return False
    # Controllers that ask do so by a library; by kubectl or curl it is a person with the pod's token.
    return user(event).startswith(PREFIX) and text(event, "userAgent").lower().startswith(TOOLS)


def title(event):
    return f"Somebody with the token of service account {user(event).removeprefix(PREFIX)} lists what it may do"


def alert_context(event):
    return audit_context(event)
