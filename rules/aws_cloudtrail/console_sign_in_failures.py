from cloudtrail_helpers import account, actor, call_context, is_root

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


def rule(event):
    return event.get("eventName") == "ConsoleLogin" and event.deep_get("responseElements", "ConsoleLogin") == "Failure"


def who(event):
    if actor(event) == HIDDEN:
        return f"Somebody at {event.get('sourceIPAddress', 'an unknown address')} with user names that do not exist"
    return actor(event)


def title(event):
    return f"{who(event)} failed many times to sign in to the console of account {account(event)}"


def severity(event):
    return "HIGH" if is_root(event) else "DEFAULT"


def alert_context(event):
    used = event.deep_get("additionalEventData", "MFAUsed")
    return call_context(event) | {"message": event.get("errorMessage"), "mfa_used": used}
