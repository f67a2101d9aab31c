from azure_helpers import actor, azure_context, failed, operation, resource, settings, subscription


def rule(event):
    if failed(event):
        return False
    if operation(event) == "microsoft.security/pricings/write":
        return settings(event).get("pricingtier") == "Free"
    return operation(event) == "microsoft.security/pricings/delete"


def title(event):
    return f"{actor(event)} switched off Defender for {resource(event)} in Azure subscription {subscription(event)}"


def dedup(event):
    return f"{subscription(event)}/{actor(event)}"


def alert_context(event):
    return azure_context(event) | {"plan": resource(event)}
