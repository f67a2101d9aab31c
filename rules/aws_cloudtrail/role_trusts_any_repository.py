from cloudtrail_helpers import (
    account,
    actor,
    as_list,
    by_service,
    call_context,
    conditions,
    failed,
    policy_statements,
    text,
)

CALLS = ("CreateRole", "UpdateAssumeRolePolicy")
PUBLIC_PROVIDERS = ("token.actions.githubusercontent.com", "gitlab.com", "app.terraform.io")
ANYBODY = ("*", "repo:*", "project_path:*", "organization:*")


def rule(event):
    if event.get("eventName") not in CALLS or failed(event) or by_service(event):
        return False
    document = text(event, "policyDocument") or text(event, "assumeRolePolicyDocument")
    return any(open_provider(statement) for statement in policy_statements(document))


def open_provider(statement):
    """Whether a statement lets in every job of a public provider, whosever it is."""
    principal = statement.get("Principal")
    named = as_list(principal.get("Federated")) if isinstance(principal, dict) else []
    hosts = [str(provider).rpartition("oidc-provider/")[2] for provider in named]
    return statement.get("Effect") == "Allow" and any(unbound(host, statement) for host in hosts)


def unbound(host, statement):
    """Whether no condition says whose jobs of a public provider are meant."""
    if host not in PUBLIC_PROVIDERS:
        return False
    subjects = conditions(statement).get(f"{host}:sub", ["*"])
    return any(subject.startswith(ANYBODY) for subject in subjects)


def title(event):
    return f"{actor(event)} opened role {text(event, 'roleName')} of account {account(event)} to every CI repository"


def alert_context(event):
    return call_context(event) | {"role": text(event, "roleName")}
