from github_helpers import actor, github_context, place

TO_ADMIN = ("org.add_member", "org.update_member")


def rule(event):
    action = event.get("action")
    if action in TO_ADMIN:
        return event.get("permission") == "admin" and event.get("old_permission") != "admin"
    return action == "business.add_admin"


def title(event):
    return f"{actor(event)} made {event.get('user', 'somebody')} an owner of {place(event)} on GitHub"


def severity(event):
    return "CRITICAL" if event.get("action") == "business.add_admin" else "DEFAULT"


def alert_context(event):
    return github_context(event) | {"old_permission": event.get("old_permission")}
