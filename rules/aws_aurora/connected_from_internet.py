from aurora_helpers import failed, query_context, who
from network_helpers import is_public


def rule(event):
    return event.get("operation") == "CONNECT" and is_public(event.get("host")) and not failed(event)


def title(event):
    return f"{who(event)} signed in to database {event.get('serverHost')} from the internet"


def dedup(event):
    return f"{event.get('serverHost')}/{who(event)}"


def alert_context(event):
    return query_context(event)
