"""What the CloudTrail rules on evasion, credential access and discovery ask of an event."""

from collections.abc import Mapping, Sequence

SECURITY_WORDS = (
    "audit",
    "cloudtrail",
    "guardduty",
    "iamchange",
    "iampolicy",
    "rootaccount",
    "rootlogin",
    "rootuser",
    "security",
    "siem",
    "signin",
    "unauthorized",
)
"""What the names of alarms and event rules that watch over security have in them."""

LOG_WORDS = ("audit", "awseks", "awswaf", "cloudtrail", "flowlog", "guardduty", "resolver", "route53", "security")
"""What the names of log groups with security logs have in them."""


SURVEY_CALLS = (
    "DescribeConfigurationRecorders",
    "DescribeDBSnapshots",
    "DescribeFlowLogs",
    "DescribeOrganization",
    "DescribeParameters",
    "DescribeTrails",
    "GetAccountAuthorizationDetails",
    "GetAccountPasswordPolicy",
    "GetAccountSummary",
    "GetBucketAcl",
    "GetBucketPolicy",
    "GetSendQuota",
    "GetTrailStatus",
    "ListAccessKeys",
    "ListAccountAliases",
    "ListAccounts",
    "ListAliases",
    "ListAttachedRolePolicies",
    "ListAttachedUserPolicies",
    "ListDetectors",
    "ListGroups",
    "ListGroupsForUser",
    "ListIdentities",
    "ListKeys",
    "ListMFADevices",
    "ListOrganizationalUnitsForParent",
    "ListPolicies",
    "ListRoles",
    "ListSecrets",
    "ListUserPolicies",
    "ListUsers",
    "ListVirtualMFADevices",
)
"""What an intruder asks to learn who may do what in an account and who watches it; programs ask for few of these."""


def sounds_like(name, words):
    """Whether a name contains one of some words, whatever its case and punctuation (root-user, RootUser, root_user)."""
    squeezed = "".join(filter(str.isalnum, str(name).lower()))
    return any(word in squeezed for word in words)


def from_console(event):
    """Whether the console made the call for somebody: it makes dozens for a single page."""
    return event.get("sessionCredentialFromConsole") in ("true", True)


def call(event):
    """The call with its service, to count distinct ones."""
    return f"{event.get('eventSource', '')}:{event.get('eventName', '')}"


def mappings(value):
    """The mappings of a "one or many": S3 and EC2 write a single element without its list."""
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [item for item in value if isinstance(item, Mapping)]
    return []


def texts(value):
    """The texts of a list, or a single text as a list of one; [] for anything else."""
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, Sequence) else []


def ec2_request(event, key):
    """A request parameter of a newer EC2 call, which CloudTrail nests in an object named after the call."""
    name = f"{event.get('eventName')}Request"
    nested = event.deep_get("requestParameters", name, key)
    return event.deep_get("requestParameters", key) if nested is None else nested
