from eks_helpers import audit_context, by_hand, done, namespace, resource, user
from field_helpers import text


def rule(event):
    if event.get("verb") != "list" or resource(event) != "secrets" or namespace(event):
        return False
    # Helm keeps its releases in secrets and lists those.
    return done(event) and by_hand(event) and "owner%3Dhelm" not in text(event, "requestURI")


def title(event):
    return f"{user(event)} listed the secrets of all namespaces"


def alert_context(event):
    return audit_context(event)
