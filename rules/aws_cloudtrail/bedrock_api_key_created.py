from cloudtrail_helpers import account, actor, attempt, call_context, failed, text


def rule(event):
    if event.get("eventName") != "CreateServiceSpecificCredential":
        return False
    return text(event, "serviceName") == "bedrock.amazonaws.com"


def title(event):
    verb = attempt(event, "made", "make")
    return f"{actor(event)} {verb} a Bedrock API key for {text(event, 'userName')} in account {account(event)}"


def severity(event):
    return "LOW" if failed(event) else "DEFAULT"


def alert_context(event):
    made = ("responseElements", "serviceSpecificCredential", "serviceSpecificCredentialId")
    return call_context(event) | {"target_user": text(event, "userName"), "credential_id": event.deep_get(*made)}
