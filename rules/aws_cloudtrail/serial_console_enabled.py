from cloudtrail_helpers import account, actor, attempt, call_context, failed, same_actor


def rule(event):
    return event.get("eventName") == "EnableSerialConsoleAccess"


def title(event):
    return f"{actor(event)} {attempt(event, 'allowed', 'allow')} serial consoles in account {account(event)}"


def severity(event):
    return "LOW" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event)
