from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, same_actor

PURCHASES = (
    "PurchaseReservedInstancesOffering",
    "PurchaseHostReservation",
    "PurchaseCapacityBlock",
    "PurchaseReservedDBInstancesOffering",
    "PurchaseReservedCacheNodesOffering",
    "PurchaseReservedNodeOffering",
    "PurchaseReservedInstanceOffering",
    "CreateSavingsPlan",
    "CreateProvisionedModelThroughput",
)


def rule(event):
    return event.get("eventName") in PURCHASES and not by_service(event)


def title(event):
    verb, purchase = attempt(event, "bought", "buy"), event.get("eventName")
    return f"{actor(event)} {verb} capacity in account {account(event)}: {purchase}"


def dedup(event):
    return same_actor(event)


def severity(event):
    return "LOW" if failed(event) else "DEFAULT"


def alert_context(event):
    request = event.get("requestParameters", {})
    return call_context(event) | {"purchase": request.copy() if hasattr(request, "copy") else request}
