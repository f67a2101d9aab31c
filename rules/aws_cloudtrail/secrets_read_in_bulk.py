from cloudtrail_helpers import account, actor, by_service, by_tool, call_context, failed, request
from cloudtrail_reading import texts

PARAMETERS = ("GetParameter", "GetParameters", "GetParametersByPath")


def rule(event):
    name = event.get("eventName")
    if name != "GetSecretValue" and name not in PARAMETERS:
        return False
    if failed(event) or by_service(event):
        return False
    # A parameter that is not decrypted is no secret.
    return name == "GetSecretValue" or request(event, "withDecryption") is True


def title(event):
    return f"{actor(event)} read many secrets in account {account(event)}"


def severity(event):
    # Provisioning tools compare every secret they manage; thieves seldom call themselves one, but they may.
    return "MEDIUM" if by_tool(event) else "DEFAULT"


def dedup(event):
    # The whole ARN: two sessions of one role are two principals.
    return f"{account(event)}/{event.deep_get('userIdentity', 'arn', default=actor(event))}"


def unique(event):
    # A service that reads its one password again and again is no thief: distinct secrets count.
    keys = ("secretId", "name", "path", "names")
    named = [name for key in keys for name in texts(request(event, key))]
    return ",".join(sorted(named)) or str(event.get("eventID", "unknown"))


def alert_context(event):
    return call_context(event) | {"secret": unique(event)}
