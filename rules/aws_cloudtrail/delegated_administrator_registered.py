from cloudtrail_helpers import actor, attempt, by_service, call_context, text

POWERFUL = ("sso.amazonaws.com", "iam.amazonaws.com", "member.org.stacksets.cloudformation.amazonaws.com")


def rule(event):
    return event.get("eventName") == "RegisterDelegatedAdministrator" and not by_service(event)


def title(event):
    made = attempt(event, "made", "make")
    service = text(event, "servicePrincipal")
    return f"{actor(event)} {made} account {text(event, 'accountId')} administrator of {service} for all accounts"


def severity(event):
    return "HIGH" if text(event, "servicePrincipal") in POWERFUL else "DEFAULT"


def alert_context(event):
    delegate, service = text(event, "accountId"), text(event, "servicePrincipal")
    return call_context(event) | {"delegate": delegate, "service": service}
