from dns_helpers import asker, dns_context, name, source

ACTIONS = ("BLOCK", "ALERT")


def rule(event):
    return event.get("firewall_rule_action") in ACTIONS


def title(event):
    verb = "was kept from looking up" if event.get("firewall_rule_action") == "BLOCK" else "looked up"
    return f"{asker(event)} {verb} {name(event)}, a name on a list of the DNS firewall"


def severity(event):
    # What was only watched went through.
    return "HIGH" if event.get("firewall_rule_action") == "ALERT" else "DEFAULT"


def dedup(event):
    return f"{source(event)}/{name(event)}/{event.get('firewall_rule_action')}"


def alert_context(event):
    return dns_context(event) | {
        "domain_list": event.get("firewall_domain_list_id"),
        "rule_group": event.get("firewall_rule_group_id"),
    }
