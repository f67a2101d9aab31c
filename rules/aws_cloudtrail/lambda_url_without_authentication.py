from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, text

# Lambda appends the version of its interface to some names of its calls.
CALLS = (
    "CreateFunctionUrlConfig",
    "CreateFunctionUrlConfig20211031",
    "UpdateFunctionUrlConfig",
    "UpdateFunctionUrlConfig20211031",
)


def rule(event):
    return event.get("eventName") in CALLS and text(event, "authType") == "NONE" and not by_service(event)


def title(event):
    opened = attempt(event, "opened", "open")
    function = text(event, "functionName")
    return f"{actor(event)} {opened} Lambda function {function} of account {account(event)} to the internet"


def severity(event):
    return "LOW" if failed(event) or by_tool(event) else "DEFAULT"


def dedup(event):
    return f"{account(event)}/{text(event, 'functionName')}"


def alert_context(event):
    url = event.deep_get("responseElements", "functionUrl")
    return call_context(event) | {"function": text(event, "functionName"), "url": url}
