from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, request, same_actor


def rule(event):
    return (
        event.get("eventName") == "GetParametersByPath"
        and request(event, "path") == "/"
        and request(event, "recursive") is True
        and request(event, "withDecryption") is True
        and not by_service(event)
    )


def title(event):
    return f"{actor(event)} {attempt(event, 'decrypted', 'decrypt')} all parameters of account {account(event)}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event)
