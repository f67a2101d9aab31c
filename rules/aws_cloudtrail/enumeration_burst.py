from cloudtrail_helpers import account, actor, by_service, by_tool, call_context, long_term_key, machine, same_actor
from cloudtrail_reading import SURVEY_CALLS, call, from_console


def rule(event):
    if event.get("eventName") not in SURVEY_CALLS:
        return False
    if not long_term_key(event) and not machine(event):
        return False
    return not from_console(event) and not by_service(event)


def title(event):
    return f"{actor(event)} looks over account {account(event)} with many different calls"


def severity(event):
    if machine(event):
        return "HIGH"
    return "LOW" if by_tool(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def unique(event):
    return call(event)


def alert_context(event):
    return call_context(event) | {"machine": machine(event)}
