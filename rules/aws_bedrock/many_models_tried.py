from bedrock_helpers import caller, invocation_context, model

CALLS = ("InvokeModel", "InvokeModelWithResponseStream", "Converse", "ConverseStream")


def rule(event):
    return event.get("operation") in CALLS


def title(event):
    return f"{caller(event)} tries many different models in account {event.get('accountId')}"


def dedup(event):
    return f"{event.get('accountId')}/{caller(event)}"


def unique(event):
    return f"{event.get('region')}/{model(event)}"


def alert_context(event):
    return invocation_context(event)
