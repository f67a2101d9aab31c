from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, request, same_actor

PARTS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def rule(event):
    name = event.get("eventName")
    if name not in ("PutAccountPublicAccessBlock", "DeleteAccountPublicAccessBlock") or by_service(event):
        return False
    return name == "DeleteAccountPublicAccessBlock" or bool(lifted(event))


def lifted(event):
    """The parts of the block that the call switches off."""
    settings = [(part, request(event, "PublicAccessBlockConfiguration", part)) for part in PARTS]
    return [part for part, value in settings if str(value).lower() == "false"]


def title(event):
    verb = attempt(event, "lifted", "lift")
    return f"{actor(event)} {verb} the block on public buckets of account {account(event)}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"lifted": lifted(event) or list(PARTS)}
