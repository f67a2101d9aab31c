from aurora_helpers import failed, query_context, statement, where, who

MARKS = (" into outfile ", " into dumpfile ", "load_file(")


def rule(event):
    text = statement(event)
    return any(mark in text for mark in MARKS)


def title(event):
    verb = "tried to carry" if failed(event) else "carried"
    return f"{who(event)} {verb} data of {where(event)} over a file"


def severity(event):
    # Aurora has no files that a user could reach: only the S3 form works. The others are an attacker's habit.
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return f"{where(event)}/{who(event)}/{failed(event)}"


def alert_context(event):
    return query_context(event)
