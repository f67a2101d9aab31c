from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, same_actor

SETTINGS = {
    "DisableAllowedImagesSettings": "the list of allowed images",
    "DisableEbsEncryptionByDefault": "encryption of disks by default",
    "DisableImageBlockPublicAccess": "the block on public images",
    "DisableSnapshotBlockPublicAccess": "the block on public snapshots",
}


def rule(event):
    # As a tuple: a name that is no text cannot be looked up in a dictionary.
    return event.get("eventName") in tuple(SETTINGS) and not by_service(event)


def setting(event):
    return SETTINGS[event.get("eventName")]


def title(event):
    return f"{actor(event)} {attempt(event, 'switched', 'switch')} off {setting(event)} in account {account(event)}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"setting": setting(event)}
