from eks_helpers import audit_context, from_internet, namespace, resource, source_ip, user
from field_helpers import number


def rule(event):
    return number(event, "responseStatus", "code") == 403 and from_internet(event)


def title(event):
    return f"{user(event)} at {source_ip(event)} was denied many different requests to a cluster"


def dedup(event):
    return f"{source_ip(event)}/{user(event)}"


def unique(event):
    return (
        f"{event.get('verb')} {resource(event)} {namespace(event)} {'' if resource(event) else event.get('requestURI')}"
    )


def alert_context(event):
    return audit_context(event)
