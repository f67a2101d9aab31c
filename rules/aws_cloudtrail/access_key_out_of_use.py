from cloudtrail_helpers import account, actor, call_context, failed, text


def rule(event):
    if event.get("eventName") not in ("DeleteAccessKey", "UpdateAccessKey") or failed(event):
        return False
    return event.get("eventName") == "DeleteAccessKey" or text(event, "status") == "Inactive"


def target(event):
    return text(event, "userName") or actor(event)


def title(event):
    return f"An access key of {target(event)} of account {account(event)} was taken out of use"


def alert_context(event):
    return call_context(event) | {"target_user": target(event), "key": text(event, "accessKeyId")}
