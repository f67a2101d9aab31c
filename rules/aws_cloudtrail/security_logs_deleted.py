from cloudtrail_helpers import (
    account,
    actor,
    attempt,
    by_service,
    by_tool,
    call_context,
    failed,
    request,
    same_actor,
    text,
)
from cloudtrail_reading import LOG_WORDS, sounds_like

REMOVALS = ("DeleteLogGroup", "DeleteLogStream", "DeleteSubscriptionFilter")
FEW_DAYS = (1, 3, 5)


def rule(event):
    name = event.get("eventName")
    if name not in REMOVALS and name != "PutRetentionPolicy":
        return False
    if by_service(event) or not sounds_like(text(event, "logGroupName"), LOG_WORDS):
        return False
    return name in REMOVALS or request(event, "retentionInDays") in FEW_DAYS


def title(event):
    verb = attempt(event, "cut", "cut")
    where = f"{text(event, 'logGroupName')} in account {account(event)}"
    return f"{actor(event)} {verb} the security logs {where}: {event.get('eventName')}"


def severity(event):
    if by_tool(event):
        return "LOW"
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {
        "log_group": request(event, "logGroupName"),
        "log_stream": request(event, "logStreamName"),
        "retention_days": request(event, "retentionInDays"),
    }
