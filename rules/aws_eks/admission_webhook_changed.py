from eks_helpers import audit_context, by_person, done, resource, target, user
from field_helpers import mappings, text

WEBHOOKS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
CHANGES = ("create", "update", "patch", "delete")


def rule(event):
    if event.get("verb") not in CHANGES or resource(event) not in WEBHOOKS:
        return False
    return done(event) and by_person(event)


def title(event):
    return f"{user(event)} changed what the cluster admits: {event.get('verb')} {target(event)}"


def severity(event):
    # One outside the cluster gets every object that is made, secrets included.
    return "HIGH" if urls(event) else "DEFAULT"


def urls(event):
    found = [text(hook, "clientConfig", "url") for hook in mappings(event, "requestObject", "webhooks")]
    return [url for url in found if url]


def dedup(event):
    return f"{user(event)}/{target(event)}"


def alert_context(event):
    return audit_context(event) | {"kind": resource(event), "urls": urls(event)}
