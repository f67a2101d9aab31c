from cloudtrail_helpers import account, actor, attempt, by_service, call_context, text


def rule(event):
    if event.get("eventName") != "UpdateAccessKey" or by_service(event):
        return False
    return text(event, "status") == "Active"


def target(event):
    return text(event, "userName") or actor(event)


def title(event):
    switched = attempt(event, "switched", "switch")
    return f"{actor(event)} {switched} on an old access key of {target(event)} in account {account(event)}"


def severity(event):
    return "LOW" if target(event) == actor(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"target_user": target(event), "key": text(event, "accessKeyId")}
