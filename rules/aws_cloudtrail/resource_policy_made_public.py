from cloudtrail_helpers import (
    account,
    actor,
    attempt,
    call_context,
    failed,
    policy_statements,
    public_principal,
    request,
)

# Where each call has its policy.
POLICY_IN = {
    "SetQueueAttributes": ("attributes", "Policy"),
    "SetTopicAttributes": ("attributeValue",),
    "PutKeyPolicy": ("policy",),
    "SetRepositoryPolicy": ("policyText",),
    "PutBackupVaultAccessPolicy": ("policy",),
    "PutFileSystemPolicy": ("policy",),
    "UpdateDomainConfig": ("accessPolicies",),
    "UpdateElasticsearchDomainConfig": ("accessPolicies",),
}
# The one call that several services have, and how they name the policy.
SHARED_CALL = "PutResourcePolicy"
NAMES = ("resourcePolicy", "policyInJson", "policy")
CALLS = (*POLICY_IN, SHARED_CALL)


def rule(event):
    if event.get("eventName") not in CALLS:
        return False
    return public_principal(policy_statements(policy(event)))


def policy(event):
    name = event.get("eventName")
    if name != SHARED_CALL:
        return request(event, *POLICY_IN[name])
    return next(filter(None, (request(event, key) for key in NAMES)), None)


def resource(event):
    names = ("queueUrl", "topicArn", "keyId", "secretId", "resourceArn", "repositoryName", "backupVaultName")
    found = (request(event, name) for name in (*names, "fileSystemId", "domainName"))
    return str(next(filter(None, found), "unknown"))


def service(event):
    return str(event.get("eventSource", "")).partition(".")[0]


def title(event):
    verb = attempt(event, "opened", "open")
    return f"{actor(event)} {verb} {service(event)} resource {resource(event)} to everybody in account {account(event)}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"resource": resource(event), "policy": policy_statements(policy(event))}
