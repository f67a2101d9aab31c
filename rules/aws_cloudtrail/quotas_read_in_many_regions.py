from cloudtrail_helpers import account, actor, by_service, call_context, same_actor
from cloudtrail_reading import from_console

LIMITS = ("GetServiceQuota", "ListServiceQuotas", "GetAWSDefaultServiceQuota", "ListAWSDefaultServiceQuotas")


def rule(event):
    return event.get("eventName") in LIMITS and not from_console(event) and not by_service(event)


def title(event):
    return f"{actor(event)} read the limits of account {account(event)} in many regions"


def dedup(event):
    return same_actor(event)


def unique(event):
    return str(event.get("awsRegion", "unknown"))


def alert_context(event):
    return call_context(event)
