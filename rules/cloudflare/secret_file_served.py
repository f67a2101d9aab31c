from field_helpers import text
from secret_file_helpers import secret_file


def rule(event):
    # Applications of a single page answer 200 to anything, with HTML.
    return (
        event.get("EdgeResponseStatus") == 200
        and event.get("ClientRequestMethod") == "GET"
        and not text(event, "EdgeResponseContentType").startswith("text/html")
        and secret_file(address(event)) != ""
    )


def address(event):
    return text(event, "ClientRequestURI") or text(event, "ClientRequestPath")


def host(event):
    return text(event, "ClientRequestHost", default="unknown")


def title(event):
    return f"{host(event)} handed {secret_file(address(event))} to {text(event, 'ClientIP', default='unknown')}"


def dedup(event):
    return f"{host(event)}{secret_file(address(event))}"


def alert_context(event):
    return {
        "bytes": event.get("EdgeResponseBytes"),
        "client": event.get("ClientIP"),
        "country": event.get("ClientCountry"),
        "file": secret_file(address(event)),
        "host": host(event),
        "ray": event.get("RayID"),
        "user_agent": event.get("ClientRequestUserAgent"),
    }
