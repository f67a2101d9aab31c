from cloudtrail_helpers import account, actor, by_service, call_context, failed, stranger, text

CONFINING = ("principalOrgID", "sourceAccount", "sourceArn")


def rule(event):
    if event.get("eventName") != "AddPermission20150331v2" or failed(event) or by_service(event):
        return False
    if outsider(event) == "*":
        # The permission that belongs to a URL without authentication is the subject of a rule of its own.
        return text(event, "functionUrlAuthType") != "NONE" and not any(text(event, key) for key in CONFINING)
    return outsider(event) != ""


def outsider(event):
    return stranger(event, text(event, "principal"))


def title(event):
    who = outsider(event).replace("*", "everybody")
    what = f"{text(event, 'action')} on function {text(event, 'functionName')}"
    return f"{actor(event)} allowed {who} {what} of account {account(event)}"


def severity(event):
    return "HIGH" if outsider(event) == "*" else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"function": text(event, "functionName"), "outsider": outsider(event)}
