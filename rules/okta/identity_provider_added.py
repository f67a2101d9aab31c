from okta_helpers import actor, okta_context, succeeded, target

ADDITIONS = ("system.idp.lifecycle.create", "system.idp.lifecycle.activate")


def rule(event):
    return event.get("eventType") in ADDITIONS and succeeded(event)


def title(event):
    return f"{actor(event)} added the identity provider {target(event)} to Okta"


def alert_context(event):
    return okta_context(event) | {"identity_provider": target(event)}
