from azure_helpers import actor, azure_context, failed, operation, resource, subscription

CALLS = (
    "microsoft.compute/virtualmachines/runcommand/action",
    "microsoft.compute/virtualmachines/runcommands/write",
    "microsoft.compute/virtualmachinescalesets/virtualmachines/runcommand/action",
)


def rule(event):
    return operation(event) in CALLS


def title(event):
    verb = "tried to run" if failed(event) else "ran"
    return f"{actor(event)} {verb} a command on the Azure machine {resource(event)}"


def dedup(event):
    return f"{subscription(event)}/{actor(event)}"


def alert_context(event):
    return azure_context(event)
