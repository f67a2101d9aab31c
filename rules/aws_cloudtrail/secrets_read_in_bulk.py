from cloudtrail_helpers import account, actor, call_context, failed

SECRETS = ("GetSecretValue", "BatchGetSecretValue")
PARAMETERS = ("GetParameter", "GetParameters", "GetParametersByPath")


def rule(event):
    name = event.get("eventName")
    if name not in SECRETS and name not in PARAMETERS:
        return False
    if failed(event) or event.deep_get("userIdentity", "invokedBy", default="").endswith(".amazonaws.com"):
        return False
    # A parameter that is not decrypted is no secret.
    return name in SECRETS or event.deep_get("requestParameters", "withDecryption") is True


def title(event):
    return f"{actor(event)} read many secrets in account {account(event)}"


def dedup(event):
    # The whole ARN: two sessions of one role are two principals.
    return f"{account(event)}/{event.deep_get('userIdentity', 'arn', default=actor(event))}"


def unique(event):
    # A service that reads its one password again and again is no thief: distinct secrets count.
    request = event.get("requestParameters", {})
    secret = request.get("secretId") or request.get("name") or request.get("path")
    if secret:
        return secret
    if names := request.get("names") or request.get("secretIdList"):
        return ",".join(sorted(names))
    return event.get("eventID", "unknown")


def alert_context(event):
    return call_context(event) | {"secret": unique(event)}
