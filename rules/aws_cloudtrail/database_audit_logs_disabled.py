from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, request, same_actor
from cloudtrail_reading import texts

ENDS = ("StopActivityStream", "DisableLogging")
CHANGES = ("ModifyDBInstance", "ModifyDBCluster")
SOURCES = ("rds.amazonaws.com", "redshift.amazonaws.com")
AUDITS = ("audit", "pgaudit", "postgresql")


def rule(event):
    name = event.get("eventName")
    if name not in ENDS and name not in CHANGES:
        return False
    if event.get("eventSource") not in SOURCES or by_service(event):
        return False
    return name in ENDS or any(kind in AUDITS for kind in disabled(event))


def disabled(event):
    return texts(request(event, "cloudwatchLogsExportConfiguration", "disableLogTypes"))


def database(event):
    keys = ("dBInstanceIdentifier", "dBClusterIdentifier", "clusterIdentifier", "resourceArn")
    return next((str(request(event, key)) for key in keys if request(event, key)), "unknown")


def title(event):
    verb = attempt(event, "disabled", "disable")
    return f"{actor(event)} {verb} the audit log of database {database(event)} in account {account(event)}"


def severity(event):
    return "LOW" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"database": database(event), "disabled": disabled(event)}
