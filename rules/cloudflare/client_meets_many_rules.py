from field_helpers import text

STOPPED = ("block", "challenge", "jschallenge", "managed_challenge")


def rule(event):
    return event.get("Action") in STOPPED and text(event, "RuleID") != ""


def client(event):
    return text(event, "ClientIP", default="unknown")


def title(event):
    host = text(event, "ClientRequestHost", default="unknown")
    return f"{client(event)} attacks {host} in many ways (Cloudflare)"


def dedup(event):
    return f"{client(event)}/{text(event, 'ClientRequestHost')}"


def unique(event):
    return text(event, "RuleID")


def alert_context(event):
    return {
        "action": event.get("Action"),
        "client": client(event),
        "country": event.get("ClientCountry"),
        "host": event.get("ClientRequestHost"),
        "network": event.get("ClientASNDescription"),
        "path": event.get("ClientRequestPath"),
        "ray": event.get("RayID"),
        "rule": event.get("RuleID"),
        "rule_source": event.get("Source"),
        "user_agent": event.get("ClientRequestUserAgent"),
    }
