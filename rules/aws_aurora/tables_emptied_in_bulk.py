from aurora_helpers import failed, query_context, statement, where, who

STATEMENTS = ("drop table ", "truncate ")


def rule(event):
    return statement(event).startswith(STATEMENTS) and not failed(event)


def title(event):
    return f"{who(event)} dropped or emptied many tables of {where(event)}"


def dedup(event):
    return f"{where(event)}/{who(event)}"


def unique(event):
    return statement(event)[:1000]


def alert_context(event):
    return query_context(event)
