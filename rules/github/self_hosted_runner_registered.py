from field_helpers import text
from github_helpers import actor, github_context, place

REGISTRATIONS = (
    "repo.register_self_hosted_runner",
    "org.register_self_hosted_runner",
    "enterprise.register_self_hosted_runner",
)


def rule(event):
    return event.get("action") in REGISTRATIONS and event.get("actor_is_bot") is not True


def title(event):
    return f"{actor(event)} registered a self-hosted runner for {place(event)} on GitHub"


def severity(event):
    # Workflows of strangers' pull requests run on the runners of a public repository.
    return "HIGH" if event.get("public_repo") is True else "DEFAULT"


def dedup(event):
    return f"{actor(event)}/{text(event, 'org', default='unknown')}"


def alert_context(event):
    return github_context(event) | {"public": event.get("public_repo"), "runner": event.get("name")}
