from aurora_helpers import failed, query_context, statement, where, who

WIDE = (" on *.*", " with grant option", "rds_superuser_role")
GRANTS_OF_ONE_RIGHT = ("grant usage ", "grant process ", "grant replication ")


def rule(event):
    text = statement(event)
    if not text.startswith("grant ") or text.startswith(GRANTS_OF_ONE_RIGHT) or failed(event):
        return False
    return any(mark in text for mark in WIDE)


def title(event):
    return f"{who(event)} granted rights over everything in {where(event)}"


def severity(event):
    return "HIGH" if statement(event).startswith("grant all") else "DEFAULT"


def dedup(event):
    return f"{event.get('serverHost')}/{who(event)}"


def alert_context(event):
    return query_context(event)
