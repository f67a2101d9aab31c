from field_helpers import text
from github_helpers import actor, github_context, place

DISABLED = (
    "org.disable_two_factor_requirement",
    "business.disable_two_factor_requirement",
    "org.disable_saml",
    "business.disable_saml",
    "ip_allow_list.disable",
    "ip_allow_list.disable_for_installed_apps",
    "org.disable_oauth_app_restrictions",
    "personal_access_token.auto_approve_grant_requests_disabled",
    "audit_log_streaming.destroy",
)


def rule(event):
    return event.get("action") in DISABLED


def title(event):
    return f"{actor(event)} switched off a protection of {place(event)} on GitHub: {text(event, 'action')}"


def dedup(event):
    return f"{actor(event)}/{place(event)}"


def alert_context(event):
    return github_context(event)
