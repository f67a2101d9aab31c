from field_helpers import texts
from slack_helpers import actor, slack_context

GRAVE = (
    "tor",
    "session_fingerprint",
    "spoofed_user_agent",
    "unexpected_scraping",
    "unexpected_api_call_volume",
    "excessive_downloads",
)
# Each of them happens daily, on a train for instance; together they mean that the session is used elsewhere.
MOVED = ("asn", "user_agent")


def rule(event):
    if event.get("action") != "anomaly":
        return False
    reasons = texts(event, "details", "reason")
    return any(reason in GRAVE for reason in reasons) or all(reason in reasons for reason in MOVED)


def title(event):
    return f"Slack session of {actor(event)} looks stolen: {', '.join(texts(event, 'details', 'reason'))}"


def dedup(event):
    return actor(event)


def alert_context(event):
    return slack_context(event) | {
        "previous_ip": event.deep_get("details", "previous_ip_address"),
        "previous_user_agent": event.deep_get("details", "previous_ua"),
        "reasons": texts(event, "details", "reason"),
    }
