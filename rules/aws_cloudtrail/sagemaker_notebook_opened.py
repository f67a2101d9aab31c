from cloudtrail_helpers import account, actor, attempt, by_service, call_context, same_actor, text


def rule(event):
    if event.get("eventName") != "CreatePresignedNotebookInstanceUrl" or by_service(event):
        return False
    return event.get("sessionCredentialFromConsole") != "true"


def title(event):
    made = attempt(event, "made", "make")
    notebook = text(event, "notebookInstanceName")
    return f"{actor(event)} {made} a link to notebook {notebook} of account {account(event)} by a script"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"notebook": text(event, "notebookInstanceName")}
