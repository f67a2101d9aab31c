from cloudtrail_helpers import (
    LAYER_PUBLISHERS,
    account,
    actor,
    as_list,
    attempt,
    by_service,
    call_context,
    request,
    stranger,
    text,
)


def rule(event):
    if event.get("eventName") != "UpdateFunctionConfiguration20150331v2" or by_service(event):
        return False
    return bool(strange_layers(event))


def strange_layers(event):
    layers = as_list(request(event, "layers"))
    return [str(layer) for layer in layers if stranger(event, layer) not in ("", "*", *LAYER_PUBLISHERS)]


def title(event):
    gave = attempt(event, "gave", "give")
    function = text(event, "functionName")
    return f"{actor(event)} {gave} function {function} of account {account(event)} a layer of another account"


def alert_context(event):
    return call_context(event) | {"function": text(event, "functionName"), "layer": strange_layers(event)}
