from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, same_actor
from cloudtrail_reading import ec2_request

CHANGES = ("ModifyInstanceMetadataOptions", "ModifyInstanceMetadataDefaults")


def rule(event):
    if event.get("eventName") not in CHANGES or by_service(event):
        return False
    return ec2_request(event, "HttpTokens") == "optional"


def instance(event):
    return str(ec2_request(event, "InstanceId") or "all new instances")


def title(event):
    verb = attempt(event, "allowed", "allow")
    return f"{actor(event)} {verb} the old metadata service on {instance(event)} in account {account(event)}"


def severity(event):
    return "LOW" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"instance": instance(event)}
