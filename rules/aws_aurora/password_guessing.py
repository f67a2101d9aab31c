from aurora_helpers import query_context
from field_helpers import text
from network_helpers import is_public

ACCESS_DENIED = 1045


def rule(event):
    if event.get("operation") == "FAILED_CONNECT":
        return True
    return event.get("operation") == "CONNECT" and event.get("retCode") == ACCESS_DENIED


def title(event):
    return f"{event.get('host', 'An unknown host')} guesses passwords of database {event.get('serverHost')}"


def severity(event):
    return "HIGH" if is_public(text(event, "host")) else "DEFAULT"


def dedup(event):
    return f"{event.get('serverHost')}/{event.get('host')}"


def alert_context(event):
    return query_context(event)
