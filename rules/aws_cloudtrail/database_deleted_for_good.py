from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, request, text

NAMED_IN = {"DeleteDBInstance": "dBInstanceIdentifier", "DeleteDBCluster": "dBClusterIdentifier"}
CALLS = tuple(NAMED_IN)


def rule(event):
    if event.get("eventName") not in CALLS or request(event, "skipFinalSnapshot") is not True:
        return False
    return request(event, "deleteAutomatedBackups") is not False and not by_service(event)


def database(event):
    return text(event, NAMED_IN[event.get("eventName")])


def title(event):
    verb = attempt(event, "deleted", "delete")
    return f"{actor(event)} {verb} database {database(event)} of account {account(event)} without a last snapshot"


def dedup(event):
    return f"{account(event)}/{actor(event)}"


def severity(event):
    if by_tool(event):
        return "LOW"
    return "MEDIUM" if failed(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"database": database(event)}
