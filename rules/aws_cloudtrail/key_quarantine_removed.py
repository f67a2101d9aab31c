from cloudtrail_helpers import account, actor, attempt, by_service, call_context, text

HELD_BACK_BY = (
    "AWSCompromisedKeyQuarantine",
    "AWSCompromisedKeyQuarantineV2",
    "AWSCompromisedKeyQuarantineV3",
    "AWSDenyAll",
    "AWSExposedCredentialPolicy_DO_NOT_REMOVE",
)


def rule(event):
    if event.get("eventName") not in ("DetachUserPolicy", "DeleteUserPolicy") or by_service(event):
        return False
    return policy(event) in HELD_BACK_BY


def policy(event):
    return text(event, "policyArn").rpartition("/")[2] or text(event, "policyName")


def title(event):
    lifted = attempt(event, "lifted", "lift")
    return f"{actor(event)} {lifted} the quarantine of user {text(event, 'userName')} in account {account(event)}"


def severity(event):
    return "CRITICAL" if text(event, "userName") == actor(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"target_user": text(event, "userName"), "policy": policy(event)}
