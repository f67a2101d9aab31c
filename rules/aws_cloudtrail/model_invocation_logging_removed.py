from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, same_actor


def rule(event):
    return event.get("eventName") == "DeleteModelInvocationLoggingConfiguration" and not by_service(event)


def title(event):
    verb = attempt(event, "removed", "remove")
    return f"{actor(event)} {verb} the logging of model invocations in account {account(event)}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event)
