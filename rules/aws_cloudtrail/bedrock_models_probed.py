from cloudtrail_helpers import account, actor, call_context, same_actor, text

INVOCATIONS = ("InvokeModel", "InvokeModelWithResponseStream", "Converse", "ConverseStream")
REFUSALS = ("AccessDenied", "AccessDeniedException", "ValidationException", "ResourceNotFoundException")


def rule(event):
    return event.get("eventName") in INVOCATIONS and event.get("errorCode") in REFUSALS


def title(event):
    return f"{actor(event)} was refused many foundation models in account {account(event)}"


def dedup(event):
    return same_actor(event)


def unique(event):
    return f"{event.get('awsRegion')}/{text(event, 'modelId')}"


def alert_context(event):
    return call_context(event) | {"model": text(event, "modelId")}
