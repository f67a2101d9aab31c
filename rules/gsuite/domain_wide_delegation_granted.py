from gsuite_helpers import actor, gsuite_context, named, parameters, words

NAMES = ("AUTHORIZE_API_CLIENT_ACCESS",)
EVERYTHING = ("https://mail.google.com", "auth/gmail", "auth/drive", "auth/admin", "auth/cloud-platform")


def rule(event):
    return bool(named(event, NAMES))


def client(event):
    values = parameters(named(event, NAMES)[0])
    return words(values.get("API_CLIENT_NAME")) or "unknown", words(values.get("API_SCOPES"))


def title(event):
    return f"{actor(event)} let the API client {client(event)[0]} act as any user of Google Workspace"


def severity(event):
    scopes = client(event)[1]
    return "CRITICAL" if any(part in scopes for part in EVERYTHING) else "DEFAULT"


def alert_context(event):
    name, scopes = client(event)
    return gsuite_context(event) | {"client": name, "scopes": scopes}
