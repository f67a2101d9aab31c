from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, request, same_actor

STOPS = ("StopConfigurationRecorder", "DeleteConfigurationRecorder", "DeleteDeliveryChannel")


def rule(event):
    return event.get("eventName") in STOPS and not by_service(event)


def title(event):
    verb = attempt(event, "stopped", "stop")
    return f"{actor(event)} {verb} the recording of configuration in account {account(event)}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {
        "recorder": request(event, "configurationRecorderName"),
        "channel": request(event, "deliveryChannelName"),
    }
