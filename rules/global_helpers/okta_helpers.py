"""What several Okta rules ask of a System Log event."""

from field_helpers import mappings, text


def name_of(principal):
    """The login name of an actor or target; of one that has none (an app, a group) its display name."""
    login = text(principal, "alternateId")
    return login if login not in ("", "unknown") else text(principal, "displayName", default="unknown")


def actor(event):
    """Who did it."""
    login = text(event, "actor", "alternateId")
    return login if login not in ("", "unknown") else text(event, "actor", "displayName", default="unknown")


def targets(event, kind=None):
    """What it was done to: all targets, or those of one kind (User, UserGroup, AppInstance …)."""
    found = mappings(event, "target")
    return [target for target in found if kind is None or target.get("type") == kind]


def target(event):
    """The name of the first target."""
    return next(map(name_of, targets(event)), "unknown")


def succeeded(event):
    """Whether Okta did what was asked."""
    return event.deep_get("outcome", "result") == "SUCCESS"


def okta_context(event):
    """What an analyst looks at first, the same in every alert."""
    return {
        "actor": actor(event),
        "actor_type": event.deep_get("actor", "type"),
        "country": event.deep_get("client", "geographicalContext", "country"),
        "event_id": event.get("uuid"),
        "event_type": event.get("eventType"),
        "proxy": event.deep_get("securityContext", "isProxy"),
        "reason": event.deep_get("outcome", "reason"),
        "result": event.deep_get("outcome", "result"),
        "session": event.deep_get("authenticationContext", "externalSessionId"),
        "source_ip": event.deep_get("client", "ipAddress"),
        "targets": [f"{item.get('type', 'unknown')} {name_of(item)}" for item in targets(event)],
        "user_agent": event.deep_get("client", "userAgent", "rawUserAgent"),
    }
