from cloudtrail_helpers import account, call_context

CHANGES = ("PasswordRecoveryRequested", "PasswordRecoveryCompleted", "PasswordUpdated", "EmailUpdated")
WHAT = {
    "PasswordRecoveryRequested": "asked to recover the root password",
    "PasswordRecoveryCompleted": "recovered the root password",
    "PasswordUpdated": "changed the root password",
    "EmailUpdated": "changed the e-mail address of root",
}


def rule(event):
    return event.get("eventName") in CHANGES and event.get("eventSource") == "signin.amazonaws.com"


def title(event):
    return f"Somebody {WHAT[event.get('eventName')]} in account {account(event)}"


def severity(event):
    return "MEDIUM" if event.get("eventName") == "PasswordRecoveryRequested" else "DEFAULT"


def dedup(event):
    return account(event)


def alert_context(event):
    return call_context(event)
