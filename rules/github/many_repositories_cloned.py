from field_helpers import text
from github_helpers import actor, github_context, is_false, place

READS = ("git.clone", "repo.download_zip")


def rule(event):
    if event.get("action") not in READS or event.get("repository_public") is True:
        return False
    # Workflows clone with a token of their own, which ends with the run.
    return "GitHub App" not in text(event, "programmatic_access_type")


def title(event):
    return f"{actor(event)} cloned many private repositories of {event.get('org', 'unknown')} on GitHub"


def dedup(event):
    return f"{actor(event)}/{text(event, 'hashed_token')}"


def unique(event):
    return place(event)


def alert_context(event):
    return github_context(event) | {"public": not is_false(event.get("repository_public", False))}
