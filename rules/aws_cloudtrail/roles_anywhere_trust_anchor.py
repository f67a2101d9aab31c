from cloudtrail_helpers import account, actor, attempt, by_service, call_context, request, same_actor


def rule(event):
    return event.get("eventName") in ("CreateTrustAnchor", "UpdateTrustAnchor") and not by_service(event)


def title(event):
    changed = attempt(event, "changed", "change")
    return f"{actor(event)} {changed} which certificates Roles Anywhere accepts in account {account(event)}"


def severity(event):
    return "HIGH" if request(event, "source", "sourceType") == "CERTIFICATE_BUNDLE" else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"trust_anchor": request(event, "name") or request(event, "trustAnchorId")}
