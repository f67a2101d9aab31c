from cloudtrail_helpers import account, actor, attempt, by_service, call_context, same_actor, text

CALLS = ("CreateDevEndpoint", "UpdateDevEndpoint")


def rule(event):
    return event.get("eventName") in CALLS and not by_service(event)


def title(event):
    opened = attempt(event, "opened", "open")
    return f"{actor(event)} {opened} Glue endpoint {text(event, 'endpointName')} in account {account(event)}"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"endpoint": text(event, "endpointName"), "role": text(event, "roleArn")}
