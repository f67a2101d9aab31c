from azure_helpers import actor, azure_context, failed, operation, resource, subscription

CALLS = ("microsoft.compute/disks/begingetaccess/action", "microsoft.compute/snapshots/begingetaccess/action")


def rule(event):
    return operation(event) in CALLS and not failed(event)


def title(event):
    return f"{actor(event)} made a download link for the Azure disk {resource(event)}"


def dedup(event):
    return f"{subscription(event)}/{actor(event)}"


def alert_context(event):
    return azure_context(event)
