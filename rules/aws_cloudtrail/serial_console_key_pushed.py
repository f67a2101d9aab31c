from cloudtrail_helpers import account, actor, attempt, call_context, same_actor, text

CALLS = ("SendSerialConsoleSSHPublicKey", "SendSSHPublicKey")


def rule(event):
    if event.get("eventName") not in CALLS:
        return False
    return event.get("eventName") == "SendSerialConsoleSSHPublicKey" or text(event, "instanceOSUser") == "root"


def title(event):
    pushed = attempt(event, "pushed", "push")
    way = "root" if event.get("eventName") == "SendSSHPublicKey" else "the serial console"
    return f"{actor(event)} {pushed} an SSH key for {way} of {text(event, 'instanceId')} in account {account(event)}"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"instance": text(event, "instanceId")}
