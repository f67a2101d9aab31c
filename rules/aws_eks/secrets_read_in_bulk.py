from eks_helpers import audit_context, by_hand, done, resource, target, user


def rule(event):
    return event.get("verb") == "get" and resource(event) == "secrets" and done(event) and by_hand(event)


def title(event):
    return f"{user(event)} read many secrets of a cluster"


def dedup(event):
    return user(event)


def unique(event):
    return target(event)


def alert_context(event):
    return audit_context(event)
