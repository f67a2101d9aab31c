from ipaddress import ip_address

from cloudtrail_helpers import account, by_service, call_context
from cloudtrail_reading import SURVEY_CALLS

CALLS = (*SURVEY_CALLS, "GetCallerIdentity")


def rule(event):
    # Only what a thief asks first: all calls of all instances would be a third of many accounts' events.
    if event.get("eventName") not in CALLS:
        return False
    if event.deep_get("userIdentity", "type") != "AssumedRole" or not instance(event):
        return False
    # Through an endpoint the instance shows its private address: that is a second one without a second machine.
    return version(event) is not None and "vpcEndpointId" not in event and not by_service(event)


def instance(event):
    """The instance whose role session this is; "" for other sessions."""
    session = str(event.deep_get("userIdentity", "arn", default="")).rpartition("/")[2]
    return session if session.startswith("i-") else ""


def version(event):
    """4 or 6; None when the source is no address (AWS writes names of services there)."""
    try:
        return ip_address(str(event.get("sourceIPAddress"))).version
    except ValueError:
        return None


def title(event):
    return f"Credentials of instance {instance(event)} in account {account(event)} are used from more than one address"


def dedup(event):
    return f"{account(event)}/{event.deep_get('userIdentity', 'arn')}/IPv{version(event)}"


def unique(event):
    return str(ip_address(str(event.get("sourceIPAddress"))))


def alert_context(event):
    return call_context(event) | {"instance": instance(event)}
