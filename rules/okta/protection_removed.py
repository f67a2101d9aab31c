from field_helpers import text
from okta_helpers import actor, okta_context, succeeded, target

REMOVALS = (
    "policy.lifecycle.deactivate",
    "policy.lifecycle.delete",
    "policy.rule.deactivate",
    "policy.rule.delete",
    "zone.deactivate",
    "zone.delete",
    "security.authenticator.lifecycle.deactivate",
)
LOG_STREAMS = ("system.log_stream.lifecycle.deactivate", "system.log_stream.lifecycle.delete")


def rule(event):
    kind = event.get("eventType")
    return (kind in REMOVALS or kind in LOG_STREAMS) and succeeded(event)


def title(event):
    return f"{actor(event)} removed the protection {target(event)} from Okta ({text(event, 'eventType')})"


def severity(event):
    return "HIGH" if event.get("eventType") in LOG_STREAMS else "DEFAULT"


def dedup(event):
    # A clean-up of ten rules is one story.
    return f"{actor(event)}/{'log stream' if event.get('eventType') in LOG_STREAMS else 'policy'}"


def alert_context(event):
    return okta_context(event) | {"protection": target(event)}
