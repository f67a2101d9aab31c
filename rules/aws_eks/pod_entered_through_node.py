from eks_helpers import audit_context, by_hand, done, request_path, resource, target, user

# Paths of a node's own API that run commands; its figures (/metrics, /stats) are what monitoring reads.
DOORS = ("/proxy/run/", "/proxy/exec/", "/proxy/attach/", "/proxy/portForward/", "/proxy/containerLogs/")


def rule(event):
    if resource(event) != "nodes/proxy" or not done(event):
        return False
    return by_hand(event) or any(door in request_path(event) for door in DOORS)


def title(event):
    return f"{user(event)} spoke to node {target(event)} itself, past the API server's rules"


def dedup(event):
    return f"{user(event)}/{target(event)}"


def alert_context(event):
    return audit_context(event) | {"path": request_path(event)}
