from cloudtrail_helpers import account, actor, call_context, failed

WHAT = {
    "CreateAccessKey": "an access key",
    "CreateLoginProfile": "a console password",
    "UpdateLoginProfile": "a new console password",
}
CALLS = tuple(WHAT)


def rule(event):
    if event.get("eventName") not in CALLS or event.get("eventSource") != "iam.amazonaws.com" or failed(event):
        return False
    # Without a user name IAM acts on the caller: everybody may renew their own key.
    target = event.deep_get("requestParameters", "userName")
    return bool(target) and target != event.deep_get("userIdentity", "userName")


def title(event):
    target = event.deep_get("requestParameters", "userName")
    return f"{actor(event)} made {WHAT[event.get('eventName')]} for user {target} in account {account(event)}"


def severity(event):
    # Roles of provisioning tools make credentials all day; a user who does it for a colleague is rare.
    return "HIGH" if event.deep_get("userIdentity", "type") in ("IAMUser", "Root") else "DEFAULT"


def alert_context(event):
    return call_context(event) | {
        "target_user": event.deep_get("requestParameters", "userName"),
        "new_access_key": event.deep_get("responseElements", "accessKey", "accessKeyId"),
    }
