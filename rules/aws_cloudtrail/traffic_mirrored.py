from cloudtrail_helpers import account, actor, attempt, call_context, failed, same_actor, text

REQUEST = "CreateTrafficMirrorSessionRequest"


def rule(event):
    return event.get("eventName") == "CreateTrafficMirrorSession"


def title(event):
    return f"{actor(event)} {attempt(event, 'mirrored', 'mirror')} network traffic in account {account(event)}"


def dedup(event):
    return same_actor(event)


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {
        "interface": text(event, REQUEST, "NetworkInterfaceId"),
        "target": text(event, REQUEST, "TrafficMirrorTargetId"),
    }
