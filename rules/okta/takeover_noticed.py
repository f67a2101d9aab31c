from field_helpers import text
from okta_helpers import actor, okta_context

ALARMS = (
    "user.account.report_suspicious_activity_by_enduser",
    "app.oauth2.token.detect_reuse",
    "app.oauth2.as.token.detect_reuse",
    "user.mfa.attempt_bypass",
)
PHISHING = "FastPass declined phishing attempt"


def rule(event):
    kind = event.get("eventType")
    if kind == "user.authentication.auth_via_mfa":
        return event.deep_get("outcome", "reason") == PHISHING
    return kind in ALARMS


def title(event):
    reason = text(event, "outcome", "reason") or text(event, "displayMessage") or text(event, "eventType")
    return f"Sign of a takeover of {actor(event)} in Okta: {reason}"


def dedup(event):
    return f"{actor(event)}/{text(event, 'eventType')}"


def alert_context(event):
    return okta_context(event)
