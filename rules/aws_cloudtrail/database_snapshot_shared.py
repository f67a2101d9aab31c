from cloudtrail_helpers import account, actor, attempt, call_context, failed, stranger, text
from cloudtrail_sharing import texts

NAMED_IN = {
    "ModifyDBSnapshotAttribute": "dBSnapshotIdentifier",
    "ModifyDBClusterSnapshotAttribute": "dBClusterSnapshotIdentifier",
    "AuthorizeSnapshotAccess": "snapshotIdentifier",
}
CALLS = tuple(NAMED_IN)


def rule(event):
    if event.get("eventName") not in CALLS:
        return False
    return public(event) or any(stranger(event, owner) for owner in shared_with(event))


def shared_with(event):
    return texts(event, "valuesToAdd") + texts(event, "accountWithRestoreAccess")


def public(event):
    return "all" in shared_with(event)


def audience(event):
    return "everybody" if public(event) else "another account"


def title(event):
    verb = attempt(event, "shared", "share")
    return f"{actor(event)} {verb} a database snapshot of account {account(event)} with {audience(event)}"


def dedup(event):
    return f"{account(event)}/{actor(event)}/{audience(event)}"


def severity(event):
    if failed(event):
        return "MEDIUM"
    return "CRITICAL" if public(event) else "DEFAULT"


def alert_context(event):
    snapshot = text(event, NAMED_IN[event.get("eventName")])
    return call_context(event) | {"snapshot": snapshot, "shared_with": shared_with(event)}
