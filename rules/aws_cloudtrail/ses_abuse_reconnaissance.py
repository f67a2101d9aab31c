from cloudtrail_helpers import account, actor, by_tool, call_context, long_term_key, same_actor

QUESTIONS = (
    "GetAccount",
    "GetAccountSendingEnabled",
    "GetSendQuota",
    "GetSendStatistics",
    "ListEmailIdentities",
    "ListIdentities",
)


def rule(event):
    return (
        event.get("eventName") in QUESTIONS and event.get("eventSource") == "ses.amazonaws.com" and long_term_key(event)
    )


def title(event):
    return f"{actor(event)} asked what mail can be sent from account {account(event)}"


def severity(event):
    return "LOW" if by_tool(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def unique(event):
    return str(event.get("eventName"))


def alert_context(event):
    return call_context(event)
