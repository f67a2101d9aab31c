from cloudtrail_helpers import account, attempt, call_context, failed, is_root, text


def rule(event):
    # With a user name the key is that user's, not root's.
    return event.get("eventName") == "CreateAccessKey" and is_root(event) and not text(event, "userName")


def title(event):
    return f"Root {attempt(event, 'made', 'make')} an access key for itself in account {account(event)}"


def severity(event):
    return "HIGH" if failed(event) else "DEFAULT"


def dedup(event):
    return account(event)


def alert_context(event):
    return call_context(event) | {"new_access_key": event.deep_get("responseElements", "accessKey", "accessKeyId")}
