from field_helpers import text
from okta_helpers import okta_context

SIGN_INS = ("user.session.start", "user.authentication.auth_via_AD_agent", "user.authentication.auth_via_LDAP_agent")
WRONG = ("INVALID_CREDENTIALS", "LOCKED_OUT", "VERIFICATION_ERROR")


def rule(event):
    return (
        event.get("eventType") in SIGN_INS
        and event.deep_get("outcome", "result") == "FAILURE"
        and event.deep_get("outcome", "reason") in WRONG
    )


def source(event):
    return text(event, "client", "ipAddress", default="unknown")


def title(event):
    return f"{source(event)} failed to sign in to Okta as many users"


def dedup(event):
    return source(event)


def unique(event):
    return text(event, "actor", "alternateId", default="unknown").lower()


def alert_context(event):
    return okta_context(event)
