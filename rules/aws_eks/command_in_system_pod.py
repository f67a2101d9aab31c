from eks_helpers import audit_context, by_control_plane, done, exec_command, namespace, resource, target, user


def rule(event):
    if namespace(event) != "kube-system" or resource(event) not in ("pods/exec", "pods/attach"):
        return False
    return done(event) and not by_control_plane(event)


def title(event):
    return f"{user(event)} went into the system pod {target(event)}"


def dedup(event):
    return f"{user(event)}/{target(event)}"


def alert_context(event):
    return audit_context(event) | {"command": exec_command(event)}
