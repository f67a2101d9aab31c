"""What several rules ask of a GuardDuty finding."""

from field_helpers import mappings, text

# What means that somebody else holds credentials of ours, or carries data off with them.
CREDENTIALS = (
    "AttackSequence:IAM/CompromisedCredentials",
    "CredentialAccess:",
    "Exfiltration:",
    "UnauthorizedAccess:EC2/MetadataDNSRebind",
    "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration",
    "UnauthorizedAccess:IAMUser/ResourceCredentialExfiltration",
)
_NAMES = (
    ("instanceDetails", "instanceId"),
    ("accessKeyDetails", "userName"),
    ("eksClusterDetails", "name"),
    ("lambdaDetails", "functionName"),
    ("rdsDbInstanceDetails", "dbInstanceIdentifier"),
)


def archived(event):
    """Whether somebody, or a suppression rule, has put the finding away."""
    return event.deep_get("service", "archived") is True


def about_credentials(event):
    """Whether a finding says that credentials or data are stolen."""
    return text(event, "type").startswith(CREDENTIALS)


def resource(event):
    """The name of what the finding is about."""
    buckets = [text(bucket, "name") for bucket in mappings(event, "resource", "s3BucketDetails")]
    names = [*buckets, *(text(event, "resource", *path) for path in _NAMES)]
    return next(filter(None, names), text(event, "resource", "resourceType", default="an unknown resource"))


def finding_context(event):
    """What an analyst looks at first, the same in every alert on findings."""
    return {
        "account": event.get("accountId"),
        "arn": event.get("arn"),
        "count": event.deep_get("service", "count"),
        "description": event.get("description"),
        "first_seen": event.deep_get("service", "eventFirstSeen"),
        "last_seen": event.deep_get("service", "eventLastSeen"),
        "region": event.get("region"),
        "resource": resource(event),
        "severity": event.get("severity"),
        "type": event.get("type"),
    }
