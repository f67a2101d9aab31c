from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, same_actor
from cloudtrail_sharing import texts

# Call: the least number that is unusual, and where the request names it.
LIMITS = {
    "RunInstances": (25, ("instancesSet", "items", "maxCount")),
    "RequestSpotInstances": (25, ("instanceCount",)),
    "RequestSpotFleet": (50, ("spotFleetRequestConfig", "targetCapacity")),
    "CreateFleet": (50, ("CreateFleetRequest", "TargetCapacitySpecification", "TotalTargetCapacity")),
    "CreateAutoScalingGroup": (50, ("minSize",)),
    "CreateService": (50, ("desiredCount",)),
    "CreateComputeEnvironment": (1000, ("computeResources", "maxvCpus")),
}
CALLS = tuple(LIMITS)


def rule(event):
    if event.get("eventName") not in CALLS or by_service(event):
        return False
    return asked_for(event) >= LIMITS[event.get("eventName")][0]


def asked_for(event):
    found = texts(event, *LIMITS[event.get("eventName")][1])
    return max([int(value) for value in found if value.isdecimal()], default=0)


def title(event):
    verb = attempt(event, "started", "start")
    return f"{actor(event)} {verb} compute at scale in account {account(event)}: {event.get('eventName')}"


def dedup(event):
    return same_actor(event)


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"asked_for": asked_for(event)}
