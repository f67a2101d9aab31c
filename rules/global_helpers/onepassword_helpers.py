"""What several rules ask of 1Password's events."""

from field_helpers import text

_WHO = (("actor_details", "email"), ("target_user", "email"), ("user", "email"), ("actor_uuid",), ("user", "uuid"))


def user(event):
    """Who did it, or tried to sign in: by address where there is one."""
    return next((found for path in _WHO if (found := text(event, *path))), "unknown")


def onepassword_context(event):
    """What an analyst looks at first, the same in every alert."""
    return {
        "action": event.get("action") or event.get("category"),
        "app": event.deep_get("client", "app_name"),
        "country": event.deep_get("location", "country"),
        "event_id": event.get("uuid"),
        "source_ip": event.deep_get("client", "ip_address") or event.deep_get("session", "ip"),
        "user": user(event),
    }
