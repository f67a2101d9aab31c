from eks_helpers import audit_context, by_person, done, namespace, resource, target, user


def rule(event):
    if event.get("verb") != "create" or resource(event) != "serviceaccounts/token":
        return False
    return done(event) and by_person(event)


def title(event):
    return f"{user(event)} made a token of service account {target(event)}"


def severity(event):
    return "HIGH" if namespace(event) == "kube-system" else "DEFAULT"


def dedup(event):
    return f"{user(event)}/{target(event)}"


def alert_context(event):
    seconds = event.deep_get("requestObject", "spec", "expirationSeconds")
    return audit_context(event) | {"expiration_seconds": seconds}
