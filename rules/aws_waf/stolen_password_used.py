from waf_helpers import client, labels, waf_context, web_acl

STOLEN = "awswaf:managed:aws:atp:signal:credential_compromised"


def rule(event):
    return event.get("action") == "ALLOW" and STOLEN in labels(event)


def title(event):
    return f"{client(event)} tried to sign in past web ACL {web_acl(event)} with a password from a leak"


def dedup(event):
    return f"{event.get('webaclId')}/{client(event)}"


def alert_context(event):
    return waf_context(event)
