from waf_helpers import client, labels, waf_context, web_acl

# What AWS's rule groups say of a request that is an attack, and seldom anything else.
ATTACKS = ("awswaf:managed:aws:sql-database:", "awswaf:managed:aws:known-bad-inputs:")


def rule(event):
    return event.get("action") == "ALLOW" and bool(attack(event))


def attack(event):
    return next((label.rpartition(":")[2] for label in labels(event) if label.startswith(ATTACKS)), "")


def title(event):
    return f"Web ACL {web_acl(event)} let an attack of {client(event)} through: {attack(event)} only counts"


def dedup(event):
    return f"{event.get('webaclId')}/{attack(event)}"


def alert_context(event):
    return waf_context(event) | {"attack": attack(event)}
