from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, is_root, text


def rule(event):
    return event.get("eventName") == "DeactivateMFADevice" and not by_service(event)


def target(event):
    # Without a user name IAM acts on the caller.
    return text(event, "userName") or actor(event)


def title(event):
    took = attempt(event, "deactivated", "deactivate")
    return f"{actor(event)} {took} an MFA device of {target(event)} in account {account(event)}"


def severity(event):
    if failed(event):
        return "LOW"
    if is_root(event):
        return "CRITICAL"
    return "LOW" if target(event) == actor(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"target_user": target(event), "device": text(event, "serialNumber")}
