from field_helpers import text

NEW = ("created", "publicly_leaked")


def rule(event):
    return event.get("action") in NEW and text(event, "alert", "secret_type") != ""


def repository(event):
    return text(event, "repository", "full_name", default="unknown")


def secret(event):
    return text(event, "alert", "secret_type_display_name") or text(event, "alert", "secret_type")


def title(event):
    return f"GitHub found a secret in {repository(event)}: {secret(event)}"


def severity(event):
    # Public: found by others as fast as by us. Bypassed: somebody was warned and pushed it all the same.
    public = event.deep_get("repository", "private") is False or event.get("action") == "publicly_leaked"
    if public or event.deep_get("alert", "validity") == "active":
        return "CRITICAL"
    return "HIGH" if event.deep_get("alert", "push_protection_bypassed") is True else "DEFAULT"


def dedup(event):
    return f"{repository(event)}/{event.deep_get('alert', 'number', default='unknown')}"


def alert_context(event):
    return {
        "bypassed_by": event.deep_get("alert", "push_protection_bypassed_by", "login"),
        "private": event.deep_get("repository", "private"),
        "repository": repository(event),
        "secret": secret(event),
        "url": event.deep_get("alert", "html_url"),
        "validity": event.deep_get("alert", "validity"),
    }
