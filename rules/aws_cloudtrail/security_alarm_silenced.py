from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, request, same_actor
from cloudtrail_reading import SECURITY_WORDS, sounds_like, texts

SILENCERS = {
    "DeleteAlarms": "alarmNames",
    "DisableAlarmActions": "alarmNames",
    "DeleteMetricFilter": "filterName",
    "DisableRule": "name",
    "DeleteRule": "name",
    "RemoveTargets": "rule",
}


def rule(event):
    # As a tuple: a name that is no text cannot be looked up in a dictionary.
    if event.get("eventName") not in tuple(SILENCERS) or by_service(event):
        return False
    return bool(watchers(event))


def watchers(event):
    """The names in the call that sound like security."""
    named = texts(request(event, SILENCERS[event.get("eventName")]))
    return [name for name in named if sounds_like(name, SECURITY_WORDS)]


def title(event):
    return f"{actor(event)} {attempt(event, 'silenced', 'silence')} {watchers(event)[0]} in account {account(event)}"


def severity(event):
    if by_tool(event):
        return "LOW"
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"names": watchers(event)}
