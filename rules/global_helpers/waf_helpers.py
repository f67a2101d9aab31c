"""What several rules ask of a web ACL's log record."""

from field_helpers import mappings, text


def client(event):
    """The client's address."""
    return text(event, "httpRequest", "clientIp", default="an unknown client")


def web_acl(event):
    """The web ACL's name (`arn:…:regional/webacl/main/2f71…` → `main`)."""
    parts = text(event, "webaclId", default="unknown").split("/")
    return parts[-2] if len(parts) > 2 else parts[-1]


def labels(event):
    """The labels that rules put on the request."""
    return [name for name in (text(label, "name") for label in mappings(event, "labels")) if name]


def blocking_rule(event):
    """The rule that ended the request: within a group its own name, not the group's."""
    inner = [text(group, "terminatingRule", "ruleId") for group in mappings(event, "ruleGroupList")]
    return next(filter(None, inner), text(event, "terminatingRuleId", default="unknown"))


def waf_context(event):
    """What an analyst looks at first, the same in every alert on inspected requests."""
    request = event.deep_get("httpRequest", default={})
    fields = {"country": "country", "host": "host", "method": "httpMethod", "query": "args", "uri": "uri"}
    named = {name: request.get(field) if hasattr(request, "get") else None for name, field in fields.items()}
    return named | {
        "action": event.get("action"),
        "client": event.deep_get("httpRequest", "clientIp"),
        "labels": labels(event),
        "rule": blocking_rule(event),
        "source": event.get("httpSourceId"),
        "web_acl": event.get("webaclId"),
    }
