from azure_helpers import actor, azure_context, failed, operation, resource, subscription

REMOVALS = (
    "microsoft.insights/diagnosticsettings/delete",
    "microsoft.insights/datacollectionrules/delete",
    "microsoft.operationalinsights/workspaces/delete",
    "microsoft.network/networkwatchers/flowlogs/delete",
    "microsoft.securityinsights/alertrules/delete",
)


def rule(event):
    return operation(event) in REMOVALS


def title(event):
    verb = "tried to remove" if failed(event) else "removed"
    return f"{actor(event)} {verb} logging in Azure subscription {subscription(event)}: {resource(event)}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return f"{subscription(event)}/{actor(event)}/{'failed' if failed(event) else 'done'}"


def alert_context(event):
    return azure_context(event)
