from cloudtrail_helpers import account, actor, call_context


def rule(event):
    return (
        event.get("eventName") == "ConsoleLogin"
        and event.deep_get("responseElements", "ConsoleLogin") == "Success"
        and event.deep_get("additionalEventData", "MFAUsed") == "No"
        # Roles and SAML sign-ins prove their second factor to the identity provider; CloudTrail does not see it.
        and event.deep_get("userIdentity", "type") in ("IAMUser", "Root")
        and not event.deep_get("additionalEventData", "SamlProviderArn")
    )


def title(event):
    return f"{actor(event)} signed in to the console of account {account(event)} without MFA"


def severity(event):
    return "CRITICAL" if event.deep_get("userIdentity", "type") == "Root" else "DEFAULT"


def dedup(event):
    return f"{account(event)}/{actor(event)}"


def alert_context(event):
    return call_context(event)
