from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, text
from cloudtrail_sharing import person

NAMED_IN = {
    "ModifyDBInstance": "dBInstanceIdentifier",
    "ModifyDBCluster": "dBClusterIdentifier",
    "ModifyCluster": "clusterIdentifier",
}
CALLS = tuple(NAMED_IN)


def rule(event):
    if event.get("eventName") not in CALLS or not text(event, "masterUserPassword"):
        return False
    return person(event) and not by_service(event)


def database(event):
    return text(event, NAMED_IN[event.get("eventName")])


def title(event):
    verb = attempt(event, "reset", "reset")
    return f"{actor(event)} {verb} the master password of database {database(event)} in account {account(event)}"


def severity(event):
    if by_tool(event):
        return "INFO"
    return "LOW" if failed(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"database": database(event)}
