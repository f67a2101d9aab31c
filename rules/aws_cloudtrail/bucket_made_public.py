from cloudtrail_helpers import (
    account,
    actor,
    as_list,
    attempt,
    call_context,
    confined,
    failed,
    policy_statements,
    public_principal,
    request,
)
from cloudtrail_sharing import texts

CALLS = ("PutBucketPolicy", "PutBucketAcl", "CreateBucket")
PUBLIC_LISTS = ("public-read", "public-read-write", "authenticated-read")
EVERYBODY = (
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
)
GRANT_HEADERS = {
    "x-amz-grant-read": "READ",
    "x-amz-grant-read-acp": "READ_ACP",
    "x-amz-grant-write": "WRITE",
    "x-amz-grant-write-acp": "WRITE_ACP",
    "x-amz-grant-full-control": "FULL_CONTROL",
}
READING = ("s3:get", "s3:list")


def rule(event):
    if event.get("eventName") not in CALLS:
        return False
    return bool(public_statements(event) or public_grants(event)) or any(
        name in PUBLIC_LISTS for name in texts(event, "x-amz-acl")
    )


def public_statements(event):
    statements = policy_statements(request(event, "bucketPolicy"))
    return [statement for statement in statements if public_principal([statement]) or all_but_some(statement)]


def all_but_some(statement):
    """Whether a statement lets in everybody but those that it names."""
    return statement.get("Effect") == "Allow" and "NotPrincipal" in statement and not confined(statement)


def public_grants(event):
    grants = [*texts_of_grants(event), *grants_by_header(event)]
    return [permission for group, permission in grants if group in EVERYBODY]


def texts_of_grants(event):
    grants = as_list(event.deep_walk("requestParameters", "AccessControlPolicy", "AccessControlList", "Grant"))
    known = [grant for grant in grants if isinstance(grant, dict) and isinstance(grant.get("Grantee"), dict)]
    return [(grant["Grantee"].get("URI"), str(grant.get("Permission"))) for grant in known]


def grants_by_header(event):
    """The groups in headers like `x-amz-grant-read: uri="http://...AllUsers", id="..."`, each with its permission."""
    headers = [(permission, text) for name, permission in GRANT_HEADERS.items() for text in texts(event, name)]
    return [(group, permission) for permission, text in headers for group in EVERYBODY if group in text]


def writable(event):
    actions = [str(action) for statement in public_statements(event) for action in as_list(statement.get("Action"))]
    if any(not action.lower().startswith(READING) for action in actions):
        return True
    return "public-read-write" in texts(event, "x-amz-acl") or any(
        permission not in ("READ", "READ_ACP") for permission in public_grants(event)
    )


def bucket(event):
    return str(request(event, "bucketName", default="unknown"))


def title(event):
    verb = attempt(event, "opened", "open")
    return f"{actor(event)} {verb} bucket {bucket(event)} of account {account(event)} to everybody"


def severity(event):
    if failed(event):
        return "MEDIUM"
    return "CRITICAL" if writable(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {
        "bucket": bucket(event),
        "public_statements": public_statements(event),
        "public_grants": public_grants(event),
        "acl": texts(event, "x-amz-acl"),
    }
