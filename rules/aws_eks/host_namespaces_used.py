from eks_helpers import audit_context, changes_workload, pod_spec, target, user

SHARED = ("hostPID", "hostIPC", "hostNetwork")


def rule(event):
    return changes_workload(event) and bool(shared(event))


def shared(event):
    spec = pod_spec(event)
    return [name for name in SHARED if spec.get(name) is True]


def title(event):
    return f"{user(event)} lets {target(event)} into the node: {', '.join(shared(event))}"


def severity(event):
    # The node's processes are a way out of the pod; its network alone is what many agents ask for.
    return "LOW" if shared(event) == ["hostNetwork"] else "DEFAULT"


def dedup(event):
    return f"{user(event)}/{target(event)}"


def alert_context(event):
    return audit_context(event) | {"shared": shared(event)}
