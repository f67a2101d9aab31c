"""What several rules ask of an Aurora MySQL audit record."""

from field_helpers import number, text


def statement(event):
    """The statement in small letters and with single spaces; empty for other records."""
    if event.get("operation") != "QUERY":
        return ""
    return " ".join(text(event, "object").lower().split())


def failed(event):
    """Whether the server refused the connection or the statement."""
    return number(event, "retCode") != 0


def who(event):
    """The database user and the host it comes from."""
    return f"{event.get('username', 'an unknown user')}@{event.get('host', 'an unknown host')}"


def where(event):
    """The server, and the database if one was chosen."""
    database = text(event, "database")
    return f"{event.get('serverHost', 'an unknown server')}{'/' if database else ''}{database}"


def query_context(event):
    """What an analyst looks at first, the same in every alert on databases."""
    return {
        "client": event.get("host"),
        "connection": event.get("connectionId"),
        "database": event.get("database"),
        "operation": event.get("operation"),
        "return_code": event.get("retCode"),
        "server": event.get("serverHost"),
        "statement": text(event, "object")[:2000],
        "user": event.get("username"),
    }
