from gsuite_helpers import actor, gsuite_context, named, parameters, words

NAMES = ("authorize",)
READS_DATA = ("https://mail.google.com", "auth/gmail", "auth/drive", "auth/contacts")


def rule(event):
    return any(part in scopes(event) for part in READS_DATA)


def app(event):
    items = named(event, NAMES)
    return parameters(items[0]) if items else {}


def scopes(event):
    return words(app(event).get("scope"))


def client(event):
    return words(app(event).get("client_id")) or "unknown"


def title(event):
    name = words(app(event).get("app_name")) or client(event)
    return f"Many users gave the app {name} access to their Google mail or files"


def dedup(event):
    return client(event)


def unique(event):
    return actor(event)


def alert_context(event):
    name = words(app(event).get("app_name"))
    return gsuite_context(event) | {"app": name, "client_id": client(event), "scopes": scopes(event)}
