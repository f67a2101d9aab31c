"""What several CloudTrail rules ask of an event."""


def actor(event):
    """Who made the call, in the shortest form that still tells principals of one account apart."""
    identity = event.get("userIdentity", {})
    if identity.get("type") == "Root":
        return "root"
    if name := identity.get("userName"):
        return name
    if arn := identity.get("arn"):
        # arn:aws:sts::111122223333:assumed-role/Admin/alice -> Admin/alice
        return arn.split(":", 5)[-1].partition("/")[2] or arn
    return identity.get("principalId") or identity.get("invokedBy") or "an unknown principal"


def account(event):
    """The account in which it happened."""
    return event.get("recipientAccountId") or event.deep_get("userIdentity", "accountId", default="unknown")


def failed(event):
    """Whether AWS refused the call or the call failed."""
    return bool(event.get("errorCode") or event.get("errorMessage"))


def call_context(event):
    """What an analyst looks at first, the same in every alert."""
    return {
        "account": account(event),
        "actor": actor(event),
        "actor_arn": event.deep_get("userIdentity", "arn"),
        "access_key": event.deep_get("userIdentity", "accessKeyId"),
        "call": f"{event.get('eventSource', '')}:{event.get('eventName', '')}",
        "error": event.get("errorCode"),
        "event_id": event.get("eventID"),
        "region": event.get("awsRegion"),
        "source_ip": event.get("sourceIPAddress"),
        "user_agent": event.get("userAgent"),
    }
