from azure_helpers import actor, azure_context, failed, operation, settings, subscription

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
USER_ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
RBAC_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
POWERFUL = (OWNER, USER_ACCESS_ADMINISTRATOR, RBAC_ADMINISTRATOR)
NAMES = {OWNER: "Owner", USER_ACCESS_ADMINISTRATOR: "User Access Administrator"}


def rule(event):
    return (
        operation(event) == "microsoft.authorization/roleassignments/write"
        and not failed(event)
        and role(event) in POWERFUL
    )


def role(event):
    return str(settings(event).get("roledefinitionid", "")).lower().rpartition("/")[2]


def principal(event):
    return settings(event).get("principalid", "unknown")


def title(event):
    name = NAMES.get(role(event), "Role Based Access Control Administrator")
    return f"{actor(event)} assigned {name} to principal {principal(event)} in subscription {subscription(event)}"


def dedup(event):
    # Start and success of one assignment are one story.
    return f"{subscription(event)}/{actor(event)}/{principal(event)}"


def alert_context(event):
    scope = settings(event).get("scope")
    return azure_context(event) | {"principal": principal(event), "role_id": role(event), "scope": scope}
