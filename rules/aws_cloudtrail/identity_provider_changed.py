import re

from cloudtrail_helpers import account, actor, attempt, by_service, call_context, same_actor, text

CALLS = (
    "CreateSAMLProvider",
    "UpdateSAMLProvider",
    "CreateOpenIDConnectProvider",
    "UpdateOpenIDConnectProviderThumbprint",
    "AddClientIDToOpenIDConnectProvider",
)
OF_A_CLUSTER = re.compile(r"https://oidc\.eks\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/")


def rule(event):
    if event.get("eventName") not in CALLS or by_service(event):
        return False
    return not OF_A_CLUSTER.match(text(event, "url"))


def provider(event):
    fields = ("name", "url", "sAMLProviderArn", "openIDConnectProviderArn")
    return next((found for field in fields if (found := text(event, field))), "unknown")


def title(event):
    changed = attempt(event, "added or changed", "add or change")
    return f"{actor(event)} {changed} identity provider {provider(event)} in account {account(event)}"


def severity(event):
    return "HIGH" if "SAML" in event.get("eventName") else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"provider": provider(event)}
