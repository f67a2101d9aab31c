from azure_helpers import actor, azure_context, failed, operation


def rule(event):
    return operation(event) == "microsoft.authorization/elevateaccess/action"


def title(event):
    verb = "tried to take" if failed(event) else "took"
    return f"{actor(event)} {verb} access to all Azure subscriptions of the tenant"


def severity(event):
    return "HIGH" if failed(event) else "DEFAULT"


def dedup(event):
    return f"{actor(event)}/{'failed' if failed(event) else 'done'}"


def alert_context(event):
    return azure_context(event)
