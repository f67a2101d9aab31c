from cloudtrail_helpers import account, actor, as_list, attempt, call_context, request, text

MARKS = ("169.254.170.2", "169.254.169.254", "AWS_CONTAINER_CREDENTIALS_", "/dev/tcp/")


def rule(event):
    if event.get("eventName") != "RegisterTaskDefinition":
        return False
    return any(mark in command for command in commands(event) for mark in MARKS)


def commands(event):
    """What the containers of the definition run, a text for each."""
    containers = [one for one in as_list(request(event, "containerDefinitions")) if hasattr(one, "get")]
    return [
        " ".join(map(str, [*as_list(container.get("entryPoint")), *as_list(container.get("command"))]))
        for container in containers
    ]


def title(event):
    told = attempt(event, "told", "tell")
    containers = f"containers of {text(event, 'family')} in account {account(event)}"
    return f"{actor(event)} {told} {containers} to fetch credentials or open a shell"


def alert_context(event):
    return call_context(event) | {
        "family": text(event, "family"),
        "task_role": text(event, "taskRoleArn"),
        "commands": commands(event),
    }
