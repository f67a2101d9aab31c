from cloudtrail_helpers import actor, attempt, by_service, call_context, failed, request, text

SEVERITIES = {"IAMCreateRootUserPassword": "CRITICAL", "IAMAuditRootUserCredentials": "LOW"}


def rule(event):
    return event.get("eventName") == "AssumeRoot" and not by_service(event)


def task(event):
    return str(request(event, "taskPolicyArn", "arn", default="unknown")).rpartition("/")[2]


def title(event):
    took = attempt(event, "took", "take")
    return f"{actor(event)} {took} a root session in account {text(event, 'targetPrincipal')} for {task(event)}"


def severity(event):
    return "MEDIUM" if failed(event) else SEVERITIES.get(task(event), "DEFAULT")


def alert_context(event):
    return call_context(event) | {
        "target_account": text(event, "targetPrincipal"),
        "task": task(event),
        "session_key": event.deep_get("responseElements", "credentials", "accessKeyId"),
    }
