"""What several rules ask of a Slack audit event."""

from field_helpers import text


def actor(event):
    """Who did it, by address where there is one."""
    return text(event, "actor", "user", "email") or text(event, "actor", "user", "name") or "unknown"


def workspace(event):
    """The workspace or organization in which it happened."""
    return text(event, "context", "location", "name") or text(event, "context", "location", "id") or "unknown"


def slack_context(event):
    """What an analyst looks at first, the same in every alert."""
    return {
        "action": event.get("action"),
        "actor": actor(event),
        "event_id": event.get("id"),
        "session": event.deep_get("context", "session_id"),
        "source_ip": event.deep_get("context", "ip_address"),
        "user_agent": event.deep_get("context", "ua"),
        "workspace": workspace(event),
    }
