"""A row: an hour of a principal in which calls were denied, beside the worst hour of its week before."""

SERVICES = 3
TIMES = 3


def rule(event):
    before = event.get("most_actions_before", 0)
    return event.get("services", 0) >= SERVICES and event.get("actions", 0) >= TIMES * before


def title(event):
    user = str(event.get("arn", "somebody")).rpartition("/")[2]
    calls = f"{event.get('actions')} different calls in {event.get('services')} services"
    return f"{user} was denied {calls} within an hour"


def dedup(event):
    return str(event.get("arn", "?"))


def alert_context(event):
    return {name: event.get(name) for name in ("arn", "address", "calls", "most_actions_before")}
