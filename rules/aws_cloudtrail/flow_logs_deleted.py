from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, same_actor


def rule(event):
    return event.get("eventName") == "DeleteFlowLogs" and not by_service(event)


def title(event):
    return f"{actor(event)} {attempt(event, 'deleted', 'delete')} VPC flow logs in account {account(event)}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    ids = event.deep_walk("requestParameters", "DeleteFlowLogsRequest", "FlowLogId", "content", default="unknown")
    return call_context(event) | {"flow_logs": ids}
