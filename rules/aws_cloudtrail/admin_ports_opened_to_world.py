from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, request, same_actor
from cloudtrail_reading import mappings

CALLS = ("AuthorizeSecurityGroupIngress", "ModifySecurityGroupRules")
PORTS = (22, 445, 1433, 2375, 3306, 3389, 5432, 5985, 6379, 9200, 27017)
CHANGE = "ModifySecurityGroupRulesRequest"
RULE = "SecurityGroupRule"
WORLD = ("0.0.0.0/0", "::/0")


def rule(event):
    if event.get("eventName") not in CALLS or by_service(event):
        return False
    return bool(opened(event))


def opened(event):
    """The ports of administration and data that the call opens to the whole internet."""
    permissions = [*mappings(request(event, "ipPermissions", "items")), *mappings([request(event)])]
    for change in mappings(request(event, CHANGE, RULE)):
        permissions += mappings(change.get(RULE))
    return sorted({port for permission in permissions if to_world(permission) for port in covered(permission)})


def to_world(permission):
    """Whether one of the networks is everything: in lists, or named by the permission itself (old and changed ones)."""
    v4, v6 = (mappings(permission.deep_get(kind, "items")) for kind in ("ipRanges", "ipv6Ranges"))
    if any(permission.get(name) in WORLD for name in ("cidrIp", "CidrIpv4", "CidrIpv6")):
        return True
    return any(item.get("cidrIp") in WORLD for item in v4) or any(item.get("cidrIpv6") in WORLD for item in v6)


def covered(permission):
    # The names of a changed rule begin with capitals; keys are found whatever their case.
    if str(permission.get("ipProtocol")) == "-1":
        return PORTS
    first, last = permission.get("fromPort"), permission.get("toPort")
    if not isinstance(first, int) or not isinstance(last, int):
        return ()
    return [port for port in PORTS if first <= port <= last]


def title(event):
    verb, ports = attempt(event, "opened", "open"), opened(event)
    what = f"port {ports[0]}" if len(ports) == 1 else f"{len(ports)} sensitive ports"
    group = group_of(event) or "of a network"
    return f"{actor(event)} {verb} {what} of security group {group} in account {account(event)} to the world"


def group_of(event):
    return request(event, "groupId") or request(event, CHANGE, "GroupId") or request(event, "groupName")


def severity(event):
    return "LOW" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {
        "group": group_of(event),
        "ports": opened(event),
    }
