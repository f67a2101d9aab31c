from eks_helpers import audit_context, changes_workload, containers, target, user
from field_helpers import text, texts

# Each of these lets a container load code into the node's kernel or take the node over.
CAPABILITIES = ("ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE")


def rule(event):
    return changes_workload(event) and any(reasons(container) for container in containers(event))


def reasons(container):
    added = [name.removeprefix("CAP_") for name in texts(container, "securityContext", "capabilities", "add")]
    found = [name for name in added if name in CAPABILITIES]
    return ["privileged", *found] if container.deep_get("securityContext", "privileged") is True else found


def title(event):
    return f"{user(event)} runs a privileged container on a node: {target(event)}"


def dedup(event):
    return f"{user(event)}/{target(event)}"


def alert_context(event):
    kept = [container for container in containers(event) if reasons(container)]
    return audit_context(event) | {
        "images": [text(container, "image") for container in kept],
        "reasons": sorted({reason for container in kept for reason in reasons(container)}),
    }
