from cloudtrail_helpers import account, actor, attempt, by_service, call_context, text


def rule(event):
    if event.get("eventName") != "AddUserToGroup" or by_service(event):
        return False
    return oneself(event) or "admin" in text(event, "groupName").lower()


def oneself(event):
    return text(event, "userName") == actor(event)


def title(event):
    added = attempt(event, "added", "add")
    group = text(event, "groupName")
    return f"{actor(event)} {added} user {text(event, 'userName')} to group {group} in account {account(event)}"


def severity(event):
    return "HIGH" if oneself(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"target_user": text(event, "userName"), "group": text(event, "groupName")}
