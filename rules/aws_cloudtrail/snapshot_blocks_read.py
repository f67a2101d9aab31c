from cloudtrail_helpers import account, actor, attempt, call_context, failed, long_term_key, same_actor, text

READS = ("GetSnapshotBlock", "ListSnapshotBlocks", "ListChangedBlocks")


def rule(event):
    return event.get("eventName") in READS and long_term_key(event)


def title(event):
    return f"{actor(event)} {attempt(event, 'read', 'read')} the blocks of disk snapshots in account {account(event)}"


def dedup(event):
    return same_actor(event)


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"snapshot": text(event, "snapshotId") or text(event, "secondSnapshotId")}
