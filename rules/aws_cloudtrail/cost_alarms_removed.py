from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, same_actor, text

NAMED_IN = {
    "DeleteBudget": "budgetName",
    "DeleteBudgetAction": "budgetName",
    "DeleteNotification": "budgetName",
    "DeleteSubscriber": "budgetName",
    "DeleteAnomalyMonitor": "monitorArn",
    "DeleteAnomalySubscription": "subscriptionArn",
}
SERVICES = ("budgets.amazonaws.com", "ce.amazonaws.com")
CALLS = tuple(NAMED_IN)


def rule(event):
    if event.get("eventName") not in CALLS or event.get("eventSource") not in SERVICES:
        return False
    return not by_service(event)


def title(event):
    return f"{actor(event)} {attempt(event, 'removed', 'remove')} alarms on the costs of account {account(event)}"


def dedup(event):
    return same_actor(event)


def severity(event):
    return "LOW" if failed(event) or by_tool(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"removed": text(event, NAMED_IN[event.get("eventName")])}
