from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, request, same_actor

REMOVALS = ("DeleteResolverQueryLogConfig", "DisassociateResolverQueryLogConfig")


def rule(event):
    return event.get("eventName") in REMOVALS and not by_service(event)


def title(event):
    return f"{actor(event)} {attempt(event, 'removed', 'remove')} DNS query logging in account {account(event)}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {
        "configuration": request(event, "resolverQueryLogConfigId"),
        "network": request(event, "resourceId"),
    }
