from cloudtrail_helpers import account, by_service, call_context, is_root


def rule(event):
    if not is_root(event) or by_service(event):
        return False
    if event.get("eventSource") != "signin.amazonaws.com":
        return True
    # Failed sign-ins, those without MFA, and changes of root's password have rules of their own.
    signed_in = event.deep_get("responseElements", "ConsoleLogin") == "Success"
    return signed_in and event.deep_get("additionalEventData", "MFAUsed") != "No"


def title(event):
    return f"The root user was active in account {account(event)}"


def dedup(event):
    return account(event)


def alert_context(event):
    return call_context(event)
