from cloudtrail_helpers import account, actor, by_service, by_tool, call_context, failed, same_actor
from cloudtrail_sharing import person, texts

CALLS = (
    "DeleteBucket",
    "TerminateInstances",
    "DeleteVolume",
    "DeleteSnapshot",
    "DeregisterImage",
    "DeleteDBInstance",
    "DeleteDBCluster",
    "DeleteDBSnapshot",
    "DeleteDBClusterSnapshot",
    "DeleteTable",
    "DeleteFileSystem",
    "DeleteFunction20150331",
    "DeleteStack",
)
# Where these calls name what is destroyed.
NAMES = (
    ("bucketName",),
    ("instancesSet", "items", "instanceId"),
    ("volumeId",),
    ("snapshotId",),
    ("imageId",),
    ("dBSnapshotIdentifier",),
    ("dBClusterSnapshotIdentifier",),
    ("dBInstanceIdentifier",),
    ("dBClusterIdentifier",),
    ("tableName",),
    ("fileSystemId",),
    ("functionName",),
    ("stackName",),
)


def rule(event):
    if event.get("eventName") not in CALLS or failed(event) or by_service(event):
        return False
    return person(event)


def destroyed(event):
    return next(filter(None, (texts(event, *path) for path in NAMES)), ["unknown"])


def title(event):
    return f"{actor(event)} destroyed many resources in account {account(event)}"


def dedup(event):
    return same_actor(event)


def unique(event):
    return f"{event.get('eventName')} {','.join(destroyed(event))}"


def severity(event):
    return "INFO" if by_tool(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"destroyed": destroyed(event)}
