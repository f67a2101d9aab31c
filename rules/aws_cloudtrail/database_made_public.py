from cloudtrail_helpers import account, actor, attempt, call_context, failed, first_text, request

NEW = ("CreateDBInstance", "CreateCluster")
IN_USE = (
    "ModifyDBInstance",
    "ModifyCluster",
    "RestoreDBInstanceFromDBSnapshot",
    "RestoreDBInstanceToPointInTime",
    "CreateDBInstanceReadReplica",
    "RestoreFromClusterSnapshot",
)


def rule(event):
    if event.get("eventName") not in NEW and event.get("eventName") not in IN_USE:
        return False
    return request(event, "publiclyAccessible") is True


def database(event):
    names = ("dBInstanceIdentifier", "targetDBInstanceIdentifier", "clusterIdentifier")
    return first_text(event, names, "unknown")


def title(event):
    verb = attempt(event, "opened", "open")
    return f"{actor(event)} {verb} database {database(event)} of account {account(event)} to the internet"


def severity(event):
    return "MEDIUM" if failed(event) or event.get("eventName") in NEW else "DEFAULT"


def alert_context(event):
    return call_context(event) | {
        "database": database(event),
        "snapshot": first_text(event, ("dBSnapshotIdentifier", "snapshotIdentifier")),
    }
