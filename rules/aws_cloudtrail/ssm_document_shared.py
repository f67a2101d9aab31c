from cloudtrail_helpers import account, actor, as_list, attempt, by_service, call_context, request, stranger, text


def rule(event):
    return event.get("eventName") == "ModifyDocumentPermission" and bool(outsiders(event)) and not by_service(event)


def outsiders(event):
    named = [str(one).lower().replace("all", "*") for one in as_list(request(event, "accountIdsToAdd"))]
    return sorted({stranger(event, one) for one in named} - {""})


def title(event):
    who = ", ".join(outsiders(event)).replace("*", "everybody")
    shared = attempt(event, "shared", "share")
    return f"{actor(event)} {shared} document {text(event, 'name')} of account {account(event)} with {who}"


def severity(event):
    return "HIGH" if "*" in outsiders(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"document": text(event, "name"), "outsiders": outsiders(event)}
