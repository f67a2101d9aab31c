from okta_helpers import actor, okta_context, succeeded, target


def rule(event):
    return event.get("eventType") == "system.api_token.create" and succeeded(event)


def title(event):
    return f"{actor(event)} created the Okta API token {target(event)}"


def severity(event):
    return "HIGH" if event.deep_get("securityContext", "isProxy") is True else "DEFAULT"


def alert_context(event):
    return okta_context(event) | {"token": target(event)}
