from cloudtrail_helpers import account, actor, attempt, by_service, call_context, text


def rule(event):
    if event.get("eventName") != "SetDefaultPolicyVersion" or event.get("eventSource") != "iam.amazonaws.com":
        return False
    return not by_service(event)


def title(event):
    put = attempt(event, "put", "put")
    version = f"version {text(event, 'versionId')} of policy {text(event, 'policyArn').rpartition('/')[2]}"
    return f"{actor(event)} {put} {version} in force in account {account(event)}"


def alert_context(event):
    return call_context(event) | {"policy": text(event, "policyArn"), "version": text(event, "versionId")}
