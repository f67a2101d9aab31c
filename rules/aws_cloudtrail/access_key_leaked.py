from cloudtrail_helpers import account, call_context, failed, text

QUARANTINE = ":aws:policy/AWSCompromisedKeyQuarantine"
OLDER_QUARANTINE = "AWSExposedCredentialPolicy_DO_NOT_REMOVE"


def rule(event):
    if event.get("eventName") not in ("AttachUserPolicy", "PutUserPolicy") or failed(event):
        return False
    return QUARANTINE in text(event, "policyArn") or text(event, "policyName") == OLDER_QUARANTINE


def title(event):
    return f"AWS found an access key of user {text(event, 'userName')} of account {account(event)} in public"


def alert_context(event):
    return call_context(event) | {"target_user": text(event, "userName")}
