"""What several rules ask of a GitHub audit event."""

from field_helpers import text


def actor(event):
    """Who did it."""
    return text(event, "actor", default="an unknown user")


def place(event):
    """Where it happened: the repository, else the organization, else the enterprise."""
    return text(event, "repo") or text(event, "org") or text(event, "business") or "unknown"


def is_false(value):
    """Whether a flag is off: some events carry it as a text."""
    return str(value).lower() == "false"


def github_context(event):
    """What an analyst looks at first, the same in every alert."""
    return {
        "action": event.get("action"),
        "actor": actor(event),
        "actor_is_bot": event.get("actor_is_bot"),
        "country": event.deep_get("actor_location", "country_code"),
        "event_id": event.get("_document_id"),
        "organization": event.get("org"),
        "place": place(event),
        "source_ip": event.get("actor_ip"),
        "token": event.get("hashed_token"),
        "token_kind": event.get("programmatic_access_type"),
        "user": event.get("user"),
        "user_agent": event.get("user_agent"),
    }
