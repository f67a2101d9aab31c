from field_helpers import texts
from gcp_helpers import actor, failed, gcp_context, method, project, resource

CALLS = ("compute.instances.setMetadata", "compute.projects.setCommonInstanceMetadata")
DELTAS = ("instanceMetadataDelta", "projectMetadataDelta")
CHANGES = ("addedMetadataKeys", "modifiedMetadataKeys")
RUNS = ("startup-script", "windows-startup-script", "shutdown-script", "serial-port-enable")


def rule(event):
    return method(event).endswith(CALLS) and not failed(event) and bool(keys(event))


def keys(event):
    """The keys that run code on the machine, or open its console, among those that the call set."""
    paths = [("protoPayload", "metadata", delta, change) for delta in DELTAS for change in CHANGES]
    return [key for path in paths for key in texts(event, *path) if key.startswith(RUNS)]


def title(event):
    name = resource(event).rpartition("/")[2]
    return f"{actor(event)} changed {', '.join(keys(event))} of {name} in {project(event)}"


def dedup(event):
    return f"{project(event)}/{actor(event)}"


def alert_context(event):
    return gcp_context(event) | {"keys": keys(event)}
