from cloudtrail_helpers import account, actor, attempt, call_context, failed, long_term_key, machine, same_actor, text


def rule(event):
    if event.get("eventName") != "ExecuteCommand" or event.get("eventSource") != "ecs.amazonaws.com":
        return False
    return long_term_key(event) or bool(machine(event))


def title(event):
    return f"{actor(event)} {attempt(event, 'ran', 'run')} a command in a container of account {account(event)}"


def dedup(event):
    return same_actor(event)


def severity(event):
    return "LOW" if failed(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {name: text(event, name) for name in ("cluster", "task", "container", "command")}
