import re

from cloudtrail_helpers import account, actor, call_context, failed, text

NOTE = re.compile(
    r"ransom|bitcoin|decrypt[-_ ]*(your|my|me|all|instruction|readme)"
    r"|how[-_ ]*to[-_ ]*(decrypt|recover|restore|get[-_ ]*back)"
    r"|(recover|restore)[-_ ]*(your|my)[-_ ]*(file|data|bucket)"
    r"|(files?|data|buckets?)[-_ ]*(is|are|were|have[-_ ]*been)?[-_ ]*(deleted|encrypted|stolen|locked)"
)
ENDINGS = ("txt", "html", "htm", "hta", "md", "rtf")


def rule(event):
    if event.get("eventName") != "PutObject" or failed(event):
        return False
    name, dot, ending = text(event, "key").rpartition("/")[2].lower().rpartition(".")
    if dot and ending not in ENDINGS:
        return False
    return NOTE.search(name or ending) is not None


def title(event):
    note, bucket = text(event, "key").rpartition("/")[2], text(event, "bucketName")
    return f"{actor(event)} left {note} in bucket {bucket} of account {account(event)}"


def dedup(event):
    return f"{account(event)}/{actor(event)}"


def alert_context(event):
    return call_context(event) | {"bucket": text(event, "bucketName"), "object": text(event, "key")}
