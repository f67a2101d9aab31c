from field_helpers import text
from okta_helpers import actor, okta_context, succeeded


def rule(event):
    return (
        event.get("eventType") == "user.session.access_admin_app"
        and succeeded(event)
        and session(event) not in ("", "unknown")
        and country(event) != ""
    )


def session(event):
    return text(event, "authenticationContext", "externalSessionId")


def country(event):
    return text(event, "client", "geographicalContext", "country")


def title(event):
    return f"An admin session of {actor(event)} in Okta moved to another country"


def dedup(event):
    return session(event)


def unique(event):
    return country(event)


def alert_context(event):
    return okta_context(event)
