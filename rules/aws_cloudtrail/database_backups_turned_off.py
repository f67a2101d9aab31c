from cloudtrail_helpers import (
    account,
    actor,
    attempt,
    by_service,
    by_tool,
    call_context,
    failed,
    first_text,
    request,
    same_actor,
)

RETENTION = ("ModifyDBInstance", "ModifyDBCluster")
RECOVERY = ("pointInTimeRecoverySpecification", "pointInTimeRecoveryEnabled")
NAMED_IN = ("dBInstanceIdentifier", "dBClusterIdentifier", "tableName", "dbiResourceId")


def rule(event):
    name = event.get("eventName")
    if name not in RETENTION and name not in ("DeleteDBInstanceAutomatedBackup", "UpdateContinuousBackups"):
        return False
    if by_service(event):
        return False
    if name in RETENTION:
        return request(event, "backupRetentionPeriod") == 0
    return name == "DeleteDBInstanceAutomatedBackup" or request(event, *RECOVERY) is False


def database(event):
    return first_text(event, NAMED_IN, "unknown")


def title(event):
    verb = attempt(event, "turned off", "turn off")
    return f"{actor(event)} {verb} the backups of database {database(event)} in account {account(event)}"


def dedup(event):
    return same_actor(event)


def severity(event):
    if by_tool(event):
        return "LOW"
    return "MEDIUM" if failed(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"database": database(event)}
