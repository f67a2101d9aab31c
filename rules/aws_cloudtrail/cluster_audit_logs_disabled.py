from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, same_actor, text
from cloudtrail_reading import mappings, texts

KINDS = ("audit", "authenticator")


def rule(event):
    if event.get("eventName") != "UpdateClusterConfig" or by_service(event):
        return False
    return bool(disabled(event))


def disabled(event):
    """The kinds of log that the call switches off and that an investigation needs."""
    settings = mappings(event.deep_get("requestParameters", "logging", "clusterLogging"))
    off = [kind for setting in settings if setting.get("enabled") is False for kind in texts(setting.get("types"))]
    return [kind for kind in off if kind in KINDS]


def title(event):
    verb = attempt(event, "disabled", "disable")
    return f"{actor(event)} {verb} audit logs of cluster {text(event, 'name')} in account {account(event)}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"cluster": text(event, "name"), "disabled": disabled(event)}
