from field_helpers import text
from secret_file_helpers import secret_file


def rule(event):
    return (
        event.deep_get("httpRequest", "status") == 200
        and event.deep_get("httpRequest", "requestMethod") == "GET"
        and secret_file(text(event, "httpRequest", "requestUrl")) != ""
    )


def host(event):
    address = text(event, "httpRequest", "requestUrl")
    return address.partition("://")[2].partition("/")[0] or "unknown"


def file(event):
    return secret_file(text(event, "httpRequest", "requestUrl"))


def client(event):
    return text(event, "httpRequest", "remoteIp", default="unknown")


def title(event):
    return f"{host(event)} handed {file(event)} to {client(event)}"


def dedup(event):
    return f"{host(event)}{file(event)}"


def alert_context(event):
    return {
        "backend": event.deep_get("resource", "labels", "backend_service_name"),
        "bytes": event.deep_get("httpRequest", "responseSize"),
        "client": client(event),
        "file": file(event),
        "host": host(event),
        "project": event.deep_get("resource", "labels", "project_id"),
        "user_agent": event.deep_get("httpRequest", "userAgent"),
    }
