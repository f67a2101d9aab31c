from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, request, same_actor

CHANGES = ("UpdateDocument", "UpdateDocumentDefaultVersion", "DeleteDocument")


def rule(event):
    return (
        event.get("eventName") in CHANGES
        and request(event, "name") == "SSM-SessionManagerRunShell"
        and not by_service(event)
    )


def title(event):
    verb = attempt(event, "changed", "change")
    return f"{actor(event)} {verb} how shell sessions are logged in account {account(event)}"


def severity(event):
    return "LOW" if failed(event) or by_tool(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"version": request(event, "documentVersion")}
