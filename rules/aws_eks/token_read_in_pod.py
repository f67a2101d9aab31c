from eks_helpers import audit_context, done, exec_command, resource, target, user

TOKENS = (
    "secrets/kubernetes.io/serviceaccount",
    "secrets/eks.amazonaws.com/serviceaccount",
    "169.254.169.254",
    "169.254.170.23",
)


def rule(event):
    if resource(event) != "pods/exec" or not done(event):
        return False
    command = exec_command(event)
    return any(mark in command for mark in TOKENS)


def title(event):
    return f"{user(event)} read the credentials of pod {target(event)}"


def dedup(event):
    return f"{user(event)}/{target(event)}"


def alert_context(event):
    return audit_context(event) | {"command": exec_command(event)}
