"""A row: an hour of a principal in which calls were denied, beside the worst hour of its week before."""

SERVICES = 3
TIMES = 3


def rule(event):
    before = count(event, "most_actions_before")
    return count(event, "services") >= SERVICES and count(event, "actions") >= TIMES * before


def count(event, name):
    value = event.get(name)
    return value if isinstance(value, int) else 0


def title(event):
    user = str(event.get("arn", "somebody")).rpartition("/")[2]
    calls = f"{event.get('actions')} different calls in {event.get('services')} services"
    return f"{user} was denied {calls} within an hour"


def dedup(event):
    return str(event.get("arn", "?"))


def alert_context(event):
    return {name: event.get(name) for name in ("arn", "address", "calls", "most_actions_before")}
