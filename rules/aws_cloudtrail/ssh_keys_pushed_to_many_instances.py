from cloudtrail_helpers import account, actor, call_context, request, same_actor


def rule(event):
    return (
        event.get("eventName") == "SendSSHPublicKey"
        and event.get("eventSource") == "ec2-instance-connect.amazonaws.com"
    )


def title(event):
    return f"{actor(event)} pushed SSH keys to many instances in account {account(event)}"


def dedup(event):
    return same_actor(event)


def unique(event):
    return str(request(event, "instanceId", default="unknown"))


def alert_context(event):
    return call_context(event) | {
        "instance": request(event, "instanceId"),
        "system_user": request(event, "instanceOSUser"),
    }
