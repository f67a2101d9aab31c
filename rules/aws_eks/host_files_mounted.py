from eks_helpers import audit_context, changes_workload, pod_spec, target, user
from field_helpers import mappings, text

# What gives the node away: all of it, its keys and users, the control of its containers, its memory.
WHOLE = ("/", "/etc", "/root", "/home", "/proc", "/var", "/var/lib/kubelet", "/run", "/var/run")
BELOW = ("/etc/kubernetes", "/etc/cron", "/etc/shadow", "/root/", "/var/lib/kubelet/pki", "/var/spool/cron")
SOCKETS = ("docker.sock", "containerd.sock", "crio.sock")


def rule(event):
    return changes_workload(event) and bool(host_paths(event))


def host_paths(event):
    spec = pod_spec(event)
    paths = [text(volume, "hostPath", "path") for volume in mappings(spec, "volumes")] if spec else []
    return [path for path in paths if is_sensitive(path)]


def is_sensitive(path):
    if (path.rstrip("/") or path) in WHOLE:
        return True
    return path.startswith(BELOW) or path.endswith(SOCKETS)


def title(event):
    return f"{user(event)} mounts {', '.join(host_paths(event))} of the node into {target(event)}"


def dedup(event):
    return f"{user(event)}/{target(event)}"


def alert_context(event):
    return audit_context(event) | {"host_paths": host_paths(event)}
