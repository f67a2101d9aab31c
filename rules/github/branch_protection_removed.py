from github_helpers import actor, github_context, place

REMOVALS = ("protected_branch.destroy", "repository_ruleset.destroy")
NOT_ENFORCED = ("disabled", "evaluate")


def rule(event):
    action = event.get("action")
    if action == "repository_ruleset.update":
        return event.get("ruleset_old_enforcement") == "enabled" and event.get("ruleset_enforcement") in NOT_ENFORCED
    return action in REMOVALS


def title(event):
    return f"{actor(event)} removed the branch protection of {place(event)} on GitHub"


def dedup(event):
    return f"{actor(event)}/{place(event)}"


def alert_context(event):
    return github_context(event) | {"branch": event.get("name"), "ruleset": event.get("ruleset_name")}
