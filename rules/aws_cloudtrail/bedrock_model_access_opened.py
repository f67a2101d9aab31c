from cloudtrail_helpers import account, actor, attempt, call_context, long_term_key, same_actor, text

OPENING = ("PutUseCaseForModelAccess", "PutFoundationModelEntitlement", "CreateFoundationModelAgreement")


def rule(event):
    return event.get("eventName") in OPENING


def title(event):
    return f"{actor(event)} {attempt(event, 'opened', 'open')} access to foundation models in account {account(event)}"


def dedup(event):
    return same_actor(event)


def severity(event):
    return "HIGH" if long_term_key(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"model": text(event, "modelId") or None}
