from eks_helpers import audit_context, done, from_internet, source_ip, user

PREFIX = "system:serviceaccount:"
# It runs on every node and speaks to the cluster's public endpoint.
ON_NODES = "system:serviceaccount:kube-system:kube-proxy"


def rule(event):
    if not user(event).startswith(PREFIX) or user(event) == ON_NODES:
        return False
    return done(event) and from_internet(event)


def title(event):
    return f"Service account {user(event).removeprefix(PREFIX)} is used from the internet ({source_ip(event)})"


def dedup(event):
    return f"{user(event)}/{source_ip(event)}"


def alert_context(event):
    return audit_context(event)
