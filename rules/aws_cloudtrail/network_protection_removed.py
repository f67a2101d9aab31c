from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, request, same_actor

REMOVALS = {
    "DeleteWebACL": "wafv2",
    "DisassociateWebACL": "wafv2",
    "DeleteLoggingConfiguration": "wafv2",
    "DeleteFirewall": "network-firewall",
    "DisassociateFirewallRuleGroup": "route53resolver",
    "DeleteProtection": "shield",
}


def rule(event):
    name = event.get("eventName")
    # As a tuple: a name that is no text cannot be looked up in a dictionary.
    if name not in tuple(REMOVALS) or by_service(event):
        return False
    return event.get("eventSource") == f"{REMOVALS[name]}.amazonaws.com"


def title(event):
    verb = attempt(event, "removed", "remove")
    return f"{actor(event)} {verb} a firewall in account {account(event)}: {event.get('eventName')}"


def severity(event):
    return "LOW" if failed(event) or by_tool(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    keys = ("resourceArn", "firewallArn", "name", "firewallName", "firewallRuleGroupAssociationId", "protectionId")
    return call_context(event) | {"resource": next(filter(None, (request(event, key) for key in keys)), None)}
