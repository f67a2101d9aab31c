from slack_helpers import actor, slack_context, workspace

EXPORTS = (
    "corporate_exports_enabled",
    "manual_export_started",
    "manual_user_export_started",
    "channels_export_started",
    "manual_export_downloaded",
    "manual_user_export_downloaded",
    "channels_export_downloaded",
)


def rule(event):
    return event.get("action") in EXPORTS


def title(event):
    return f"{actor(event)} exports the messages of the Slack workspace {workspace(event)}"


def alert_context(event):
    return slack_context(event) | {"details": event.get("details", {})}
