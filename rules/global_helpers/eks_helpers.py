"""What several rules ask of a Kubernetes audit event."""

from urllib.parse import parse_qsl, unquote

from field_helpers import mappings, number, text, texts
from network_helpers import is_public

WRITES = ("create", "update", "patch")
WORKLOADS = (
    "pods",
    "deployments",
    "daemonsets",
    "statefulsets",
    "replicasets",
    "replicationcontrollers",
    "jobs",
    "cronjobs",
)
# The parts of the cluster itself: they create pods, read secrets and bind roles all day.
CONTROL_PLANE = (
    "eks:",
    "system:apiserver",
    "system:kube-",
    "system:node:",
    "system:serviceaccount:kube-system:",
)
TOOLS = ("kubectl", "curl/", "wget/", "python-requests/", "python-urllib/")
# From the spec of an object down to that of its pods: of a pod, a workload, a cron job.
_TO_PODS = (("jobTemplate", "spec", "template", "spec"), ("template", "spec"), ())


def user(event):
    """The name of who asked."""
    return text(event, "user", "username", default="an unknown user")


def by_control_plane(event):
    """Whether a part of the cluster itself asked."""
    return user(event).startswith(CONTROL_PLANE)


def by_person(event):
    """Whether somebody from outside the cluster asked: neither a part of it nor a service account."""
    return not user(event).startswith(("system:", "eks:"))


def by_hand(event):
    """Whether a person asked, or a service account by a tool for people: what a controller never uses."""
    return by_person(event) or text(event, "userAgent").lower().startswith(TOOLS)


def resource(event):
    """The kind of object, with what was asked of it: `pods`, `pods/exec`."""
    part = text(event, "objectRef", "subresource")
    return f"{text(event, 'objectRef', 'resource')}{'/' if part else ''}{part}"


def namespace(event):
    """The namespace of the object; empty for all of them, or for objects without one."""
    return text(event, "objectRef", "namespace")


def target(event):
    """The object in one word: `kube-system/aws-node`."""
    name = text(event, "objectRef", "name") or text(event, "requestObject", "metadata", "name", default="unknown")
    return f"{namespace(event)}/{name}" if namespace(event) else name


def done(event):
    """Whether the cluster did what was asked (101: a connection into a pod was opened)."""
    return 0 < number(event, "responseStatus", "code") < 400


def source_ip(event):
    """The client's address: the first of those that the request passed."""
    return next(iter(texts(event, "sourceIPs")), "")


def from_internet(event):
    """Whether the client has a public address."""
    return is_public(source_ip(event))


def changes_workload(event):
    """Whether something that runs containers was made or changed, and not by the cluster itself."""
    if event.get("verb") not in WRITES or resource(event) not in WORKLOADS:
        return False
    return done(event) and not by_control_plane(event)


def pod_spec(event):
    """The specification of the pods that an object asks for, as far as the request holds one; else an empty mapping."""
    found = (event.deep_get("requestObject", "spec", *path) for path in _TO_PODS)
    return next((spec for spec in found if hasattr(spec, "deep_get")), {})


def containers(event):
    """The containers of a pod specification, those that run first and those for debugging included."""
    spec = pod_spec(event)
    kinds = ("containers", "initContainers", "ephemeralContainers") if spec else ()
    return [container for kind in kinds for container in mappings(spec, kind)]


def command_line(container):
    """What a container runs, as one text in small letters."""
    return " ".join(texts(container, "command") + texts(container, "args")).lower()


def exec_command(event):
    """What was run in a pod, from the request's address; empty when it was not an `exec`."""
    query = text(event, "requestURI").partition("?")[2]
    return " ".join(value for key, value in parse_qsl(query) if key == "command")


def request_path(event):
    """The decoded path of the request, without its parameters."""
    return unquote(text(event, "requestURI").partition("?")[0])


def subjects(event):
    """Who a role binding gives rights to."""
    return [text(subject, "name") for subject in mappings(event, "requestObject", "subjects")]


def audit_context(event):
    """What an analyst looks at first, the same in every alert on a cluster."""
    return {
        "audit_id": event.get("auditID"),
        "call": f"{event.get('verb', '')} {resource(event)}",
        "code": event.deep_get("responseStatus", "code"),
        "decision": event.deep_get("annotations", "authorization.k8s.io/decision"),
        "iam_arn": next(iter(texts(event, "user", "extra", "arn")), None),
        "source_ips": texts(event, "sourceIPs"),
        "target": target(event),
        "uri": event.get("requestURI"),
        "user": user(event),
        "user_agent": event.get("userAgent"),
    }
