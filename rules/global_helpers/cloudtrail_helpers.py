"""What several CloudTrail rules ask of an event, and of the policies in it."""

import json
import re

OUR_ACCOUNTS = ()
"""Other accounts of your own organization ("111122223333", ...): for the rules they are no strangers."""

LAYER_PUBLISHERS = (
    "017000801446",  # AWS: Powertools
    "027255383542",  # AWS: AppConfig
    "094274105915",  # AWS: Powertools for TypeScript
    "177933569100",  # AWS: Parameters and Secrets
    "336392948345",  # AWS: SDK for pandas
    "451483290750",  # New Relic
    "464622532012",  # Datadog
    "580247275435",  # AWS: Lambda Insights
    "901920570463",  # AWS: OpenTelemetry
    "943013980633",  # Sentry
)
"""Accounts whose public Lambda layers are in wide use."""

DENIED = ("AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation", "UnauthorizedOperation")
INSTANCE_ID = re.compile(r"i-[0-9a-f]{8}([0-9a-f]{9})?")
TOOLS = ("terraform", "pulumi", "cloudformation", "opentofu")
ADMINISTRATORS = ("AdministratorAccess", "IAMFullAccess")
EVERYTHING = ("*", "*:*", "iam:*")
WIDE = ("*", "0.0.0.0/0", "::/0")
CONFINING_KEYS = (
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "kms:calleraccount",
)


def actor(event):
    """Who made the call, in the shortest form that still tells principals of one account apart."""
    if is_root(event):
        return "root"
    if name := event.deep_get("userIdentity", "userName"):
        return str(name)
    if arn := str(event.deep_get("userIdentity", "arn", default="")):
        # arn:aws:sts::111122223333:assumed-role/Admin/alice -> Admin/alice
        return arn.split(":", 5)[-1].partition("/")[2] or arn
    fallback = event.deep_get("userIdentity", "principalId") or event.deep_get("userIdentity", "invokedBy")
    return str(fallback or "an unknown principal")


def account(event):
    """The account in which it happened."""
    return str(event.get("recipientAccountId") or event.deep_get("userIdentity", "accountId", default="unknown"))


def failed(event):
    """Whether AWS refused the call or the call failed."""
    return bool(event.get("errorCode") or event.get("errorMessage"))


def call_context(event):
    """What an analyst looks at first, the same in every alert."""
    return {
        "account": account(event),
        "actor": actor(event),
        "actor_arn": event.deep_get("userIdentity", "arn"),
        "access_key": event.deep_get("userIdentity", "accessKeyId"),
        "call": f"{event.get('eventSource', '')}:{event.get('eventName', '')}",
        "error": event.get("errorCode"),
        "event_id": event.get("eventID"),
        "region": event.get("awsRegion"),
        "source_ip": event.get("sourceIPAddress"),
        "user_agent": event.get("userAgent"),
    }


def request(event, *keys, default=None):
    """A value of the request's parameters."""
    return event.deep_get("requestParameters", *keys, default=default)


def text(event, *keys):
    """A text of the request's parameters; "" when it is absent or something else."""
    value = request(event, *keys)
    return value if isinstance(value, str) else ""


def first_text(event, names, default=None):
    """The first of some parameters of the request that holds a text: calls name the same thing differently."""
    return next(filter(None, (text(event, name) for name in names)), default)


def denied(event):
    """Whether AWS refused the call for want of rights."""
    return event.get("errorCode") in DENIED


def is_root(event):
    """Whether the account's root user made the call."""
    return event.deep_get("userIdentity", "type") == "Root"


def by_service(event):
    """Whether an AWS service made the call, for itself or for somebody (CloudFormation, Identity Center, ...)."""
    if event.deep_get("userIdentity", "type") == "AWSService" or event.get("eventType") == "AwsServiceEvent":
        return True
    invoker = str(event.deep_get("userIdentity", "invokedBy", default=""))
    return invoker == "AWS Internal" or invoker.endswith(".amazonaws.com")


def by_tool(event):
    """Whether the call claims to come from a provisioning tool. Anybody can claim that: soften by it, never hide."""
    agent = str(event.get("userAgent", "")).lower()
    return any(tool in agent for tool in TOOLS)


def long_term_key(event):
    """Whether a user's own access key made the call: the kind that never expires, leaks with code and is sold."""
    return str(event.deep_get("userIdentity", "accessKeyId", default="")).startswith("AKIA")


def machine(event):
    """The machine whose role made the call: an instance's id, a function's ARN; "" for people and everything else."""
    issued_to = event.deep_get("userIdentity", "inScopeOf", "credentialsIssuedTo")
    if isinstance(issued_to, str):
        return issued_to
    arn = str(event.deep_get("userIdentity", "arn", default=""))
    session = arn.rpartition("/")[2]
    return session if ":assumed-role/" in arn and INSTANCE_ID.fullmatch(session) else ""


def own_role(event):
    """The name of the role in whose session the call was made; "" for users."""
    if event.deep_get("userIdentity", "type") != "AssumedRole":
        return ""
    return str(event.deep_get("userIdentity", "sessionContext", "sessionIssuer", "userName", default=""))


def attempt(event, done, undone):
    """How a title tells a call: "stopped" when it was done, "tried to stop" when it failed."""
    return f"tried to {undone}" if failed(event) else done


def same_actor(event):
    """A dedup string that puts together what one principal does in one account."""
    return f"{account(event)}/{actor(event)}"


def as_list(value):
    """A policy's "one or many" as a list: of one item for a single value, empty for none."""
    if value is None:
        return []
    return list(value) if not isinstance(value, (str, dict)) and hasattr(value, "__iter__") else [value]


def policy_statements(document):
    """The statements of a policy, be it JSON text or already an object; [] when it cannot be read."""
    if hasattr(document, "to_dict"):
        document = document.to_dict()
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except (ValueError, RecursionError):
            return []
    found = as_list(document.get("Statement")) if isinstance(document, dict) else []
    return [statement for statement in found if isinstance(statement, dict)]


def condition_keys(statement):
    """The keys of a statement's conditions, in small letters."""
    conditions = statement.get("Condition")
    tests = conditions.values() if isinstance(conditions, dict) else ()
    return {str(key).lower() for test in tests if isinstance(test, dict) for key in test}


def conditions(statement):
    """What a statement's conditions demand: key in small letters -> texts of which one must match.

    Conditions that also hold without the key, or for everything but a value, demand nothing and are left out.
    """
    found = {}
    tests = statement.get("Condition")
    for operator, test in tests.items() if isinstance(tests, dict) else ():
        name = str(operator).lower()
        if "not" in name or name == "null" or name.endswith("ifexists") or name.startswith("forallvalues"):
            continue
        for key, value in test.items() if isinstance(test, dict) else ():
            found.setdefault(str(key).lower(), []).extend(map(str, as_list(value)))
    return found


def confined(statement):
    """Whether a condition binds a statement's `*` to known accounts, networks or resources."""
    demanded = conditions(statement)
    return any(key in demanded and not set(WIDE) & set(demanded[key]) for key in CONFINING_KEYS)


def grants_everything(statement):
    """Whether an identity policy's statement gives administrator rights."""
    if statement.get("Effect") != "Allow" or "*" not in as_list(statement.get("Resource")):
        return False
    if "NotAction" in statement:
        # All but a few calls is everything too, unless identities are among the few.
        return not any(str(action).startswith("iam:") for action in as_list(statement["NotAction"]))
    return any(str(action).lower() in EVERYTHING for action in as_list(statement.get("Action")))


def is_administrator_policy(arn):
    """Whether an ARN is that of one of AWS's own policies for administrators."""
    # Only AWS's own policies have no account in their ARN, in any partition (aws, aws-cn, aws-us-gov).
    return ":iam::aws:policy/" in arn and arn.rpartition("/")[2] in ADMINISTRATORS


def target_account(principal):
    """The account of an ARN or account id, "*" for everybody, "" for what is neither (services, canonical ids)."""
    parts = str(principal).split(":")
    owner = parts[4] if len(parts) > 5 and parts[0] == "arn" else str(principal)
    return owner if owner == "*" or (len(owner) == 12 and owner.isdigit()) else ""


def stranger(event, principal):
    """The account of a principal or resource that is none of ours, "*" for everybody; "" for our own and services."""
    owner = target_account(principal)
    return "" if owner in (account(event), *OUR_ACCOUNTS) else owner


def outsiders(statements, own):
    """Whom a resource policy lets in from outside an account: "*" (everybody) and account ids, sorted.

    `own` is the account the resource belongs to. Your other accounts (`OUR_ACCOUNTS`) do not count, nor does a `*`
    that a condition confines.
    """
    found = set()
    for statement in statements:
        if statement.get("Effect") == "Allow":
            owners = {target_account(principal) for principal in aws_principals(statement)}
            found |= owners - {"*"} if confined(statement) else owners
    return sorted(found - {"", own, *OUR_ACCOUNTS})


def aws_principals(statement):
    """The AWS principals a statement of a resource policy names: ARNs, account ids, "*"."""
    principal = statement.get("Principal")
    return as_list(principal.get("AWS") if isinstance(principal, dict) else principal)


def public_principal(statements):
    """Whether a resource policy lets everybody in, without a condition that confines it."""
    return "*" in outsiders(statements, "")
