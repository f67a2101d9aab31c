from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, text


def rule(event):
    return event.get("eventName") == "EnableRegion" and not by_service(event)


def title(event):
    verb, region = attempt(event, "switched on", "switch on"), text(event, "regionName")
    return f"{actor(event)} {verb} region {region} in account {text(event, 'accountId') or account(event)}"


def severity(event):
    return "LOW" if failed(event) or by_tool(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"new_region": text(event, "regionName")}
