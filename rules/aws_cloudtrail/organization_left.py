from cloudtrail_helpers import account, actor, attempt, call_context, failed, same_actor


def rule(event):
    return event.get("eventName") == "LeaveOrganization"


def title(event):
    return f"{actor(event)} {attempt(event, 'took', 'take')} account {account(event)} out of its organization"


def severity(event):
    return "HIGH" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event)
