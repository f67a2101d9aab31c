from cloudtrail_helpers import DENIED, account, actor, by_service, call_context, same_actor
from cloudtrail_reading import call, from_console


def rule(event):
    # The console asks for everything on a page, allowed or not.
    return event.get("errorCode") in DENIED and not from_console(event) and not by_service(event)


def title(event):
    return f"{actor(event)} was denied many different calls in account {account(event)}"


def dedup(event):
    return same_actor(event)


def unique(event):
    return call(event)


def alert_context(event):
    return call_context(event)
