from github_helpers import actor, github_context, is_false, place


def rule(event):
    # Without a repository it is a user's own SSH key.
    return event.get("action") == "public_key.create" and "repo" in event and is_false(event.get("read_only"))


def title(event):
    return f"{actor(event)} added a deploy key that can push to {place(event)} on GitHub"


def dedup(event):
    return actor(event)


def alert_context(event):
    return github_context(event) | {"fingerprint": event.get("fingerprint"), "key": event.get("title")}
