from github_helpers import actor, github_context, place


def rule(event):
    return (
        event.get("action") == "repo.access"
        and event.get("visibility") == "public"
        and event.get("previous_visibility") != "public"
    )


def title(event):
    return f"{actor(event)} made the GitHub repository {place(event)} public"


def alert_context(event):
    return github_context(event) | {"previous_visibility": event.get("previous_visibility")}
