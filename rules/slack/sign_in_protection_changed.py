from field_helpers import text
from slack_helpers import actor, slack_context, workspace

CHANGES = (
    "pref.two_factor_auth_changed",
    "pref.sso_setting_changed",
    "idp_configuration_added",
    "idp_configuration_deleted",
    "idp_prod_configuration_updated",
    "auth_policy_entity_removed",
    "intune_disabled",
    "pref.anomaly_event_response_changed",
    "ekm_unenrolled",
)


def rule(event):
    return event.get("action") in CHANGES


def title(event):
    return f"{actor(event)} changed how Slack {workspace(event)} is protected: {text(event, 'action')}"


def dedup(event):
    return f"{workspace(event)}/{actor(event)}"


def alert_context(event):
    return slack_context(event) | {"details": event.get("details", {})}
