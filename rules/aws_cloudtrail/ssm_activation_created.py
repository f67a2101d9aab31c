from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, text


def rule(event):
    return event.get("eventName") == "CreateActivation" and not by_service(event)


def title(event):
    let = attempt(event, "let", "let")
    return f"{actor(event)} {let} foreign machines take role {text(event, 'iamRole')} of account {account(event)}"


def severity(event):
    return "LOW" if by_tool(event) else "DEFAULT"


def alert_context(event):
    activation = event.deep_get("responseElements", "activationId")
    return call_context(event) | {"role": text(event, "iamRole"), "activation": activation}
