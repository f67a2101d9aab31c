from cloudtrail_helpers import account, actor, by_service, call_context, failed, long_term_key, text


def rule(event):
    if event.get("eventName") != "UpdateFunctionCode20150331v2" or failed(event) or by_service(event):
        return False
    return long_term_key(event)


def title(event):
    function = text(event, "functionName")
    return f"{actor(event)} replaced the code of function {function} of account {account(event)} by hand"


def alert_context(event):
    return call_context(event) | {
        "function": text(event, "functionName"),
        "code_sha256": event.deep_get("responseElements", "codeSha256"),
    }
