from field_helpers import text


def rule(event):
    if event.get("ResourceType") != "logpush job":
        return False
    if event.get("ActionType") == "job_update":
        return event.deep_get("NewValue", "enabled") is False and event.deep_get("OldValue", "enabled") is not False
    return event.get("ActionType") == "job_delete"


def actor(event):
    return text(event, "ActorEmail") or text(event, "ActorID") or "unknown"


def tried(event):
    return event.get("ActionResult") is False


def title(event):
    verb = "tried to stop" if tried(event) else "stopped"
    what = text(event, "NewValue", "dataset") or text(event, "OldValue", "dataset") or "a log"
    return f"{actor(event)} {verb} the delivery of {what} from Cloudflare"


def severity(event):
    return "MEDIUM" if tried(event) else "DEFAULT"


def dedup(event):
    return f"{text(event, 'OwnerID')}/{actor(event)}/{'failed' if tried(event) else 'done'}"


def alert_context(event):
    return {
        "account": event.get("OwnerID"),
        "actor": actor(event),
        "event_id": event.get("ID"),
        "interface": event.get("Interface"),
        "job": event.get("ResourceID"),
        "source_ip": event.get("ActorIP"),
        "zone": event.deep_get("Metadata", "zone_name"),
    }
