from aurora_helpers import failed, query_context, statement, where, who

# The comment that mysqldump and its kin put into every query for a whole table.
DUMP = "select /*!40001 sql_no_cache */ "


def rule(event):
    return statement(event).startswith(DUMP) and not failed(event)


def title(event):
    return f"{who(event)} dumps the tables of {where(event)}"


def dedup(event):
    return f"{event.get('serverHost')}/{who(event)}"


def unique(event):
    return statement(event)[:1000]


def alert_context(event):
    return query_context(event)
