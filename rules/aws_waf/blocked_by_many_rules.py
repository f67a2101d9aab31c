from waf_helpers import blocking_rule, client, waf_context, web_acl


def rule(event):
    # A rate limit says how often, not what: it counts as no kind of attack.
    return event.get("action") == "BLOCK" and event.get("terminatingRuleType") != "RATE_BASED"


def title(event):
    return f"{client(event)} is blocked by many different rules of web ACL {web_acl(event)}"


def dedup(event):
    return f"{event.get('webaclId')}/{client(event)}"


def unique(event):
    return blocking_rule(event)


def alert_context(event):
    return waf_context(event)
