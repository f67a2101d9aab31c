from field_helpers import text
from github_helpers import actor, github_context, place

OF_MANY = (
    "secret_scanning.disable",
    "business_secret_scanning.disable",
    "business_secret_scanning_push_protection.disable",
    "org.advanced_security_disabled_on_all_repos",
)
OF_ONE = (
    "repository_secret_scanning.disable",
    "repository_secret_scanning_push_protection.disable",
    "repository_vulnerability_alerts.disable",
    "repo.advanced_security_disabled",
    "repo.codeql_disabled",
)


def rule(event):
    action = event.get("action")
    return action in OF_MANY or action in OF_ONE


def title(event):
    return f"{actor(event)} switched off code security of {place(event)} on GitHub: {text(event, 'action')}"


def severity(event):
    return "HIGH" if event.get("action") in OF_MANY else "DEFAULT"


def dedup(event):
    return f"{actor(event)}/{'many' if event.get('action') in OF_MANY else 'one'}"


def alert_context(event):
    return github_context(event)
