from aurora_helpers import failed, query_context, statement, who

DROPS = ("drop database ", "drop schema ")


def rule(event):
    return statement(event).startswith(DROPS)


def title(event):
    verb = "tried to drop" if failed(event) else "dropped"
    return f"{who(event)} {verb} a database of {event.get('serverHost')}"


def severity(event):
    return "LOW" if failed(event) else "DEFAULT"


def dedup(event):
    return f"{event.get('serverHost')}/{who(event)}/{failed(event)}"


def alert_context(event):
    return query_context(event)
