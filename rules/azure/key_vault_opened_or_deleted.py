from azure_helpers import actor, azure_context, failed, operation, resource, subscription

OPENED = ("microsoft.keyvault/vaults/accesspolicies/write",)
DESTROYED = (
    "microsoft.keyvault/vaults/delete",
    "microsoft.keyvault/locations/deletedvaults/purge/action",
)


def rule(event):
    name = operation(event)
    return (name in OPENED or name in DESTROYED) and not failed(event)


def title(event):
    verb = "changed who may read" if operation(event) in OPENED else "deleted"
    return f"{actor(event)} {verb} an Azure key vault in subscription {subscription(event)}: {resource(event)}"


def severity(event):
    # After a purge nothing brings the keys back, nor what they encrypt.
    return "CRITICAL" if operation(event).endswith("/purge/action") else "DEFAULT"


def dedup(event):
    return f"{subscription(event)}/{actor(event)}"


def alert_context(event):
    return azure_context(event)
