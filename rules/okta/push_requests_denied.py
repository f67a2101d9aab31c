from okta_helpers import actor, okta_context

DENIALS = ("user.mfa.okta_verify.deny_push", "user.mfa.okta_verify.deny_push_upgrade_needed")


def rule(event):
    return event.get("eventType") in DENIALS


def title(event):
    return f"{actor(event)} denied several Okta Verify push requests"


def dedup(event):
    return actor(event)


def alert_context(event):
    return okta_context(event)
