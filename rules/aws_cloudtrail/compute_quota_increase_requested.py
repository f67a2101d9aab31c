from cloudtrail_helpers import account, actor, attempt, by_service, call_context, long_term_key, same_actor, text
from cloudtrail_sharing import number

MODELS = ("bedrock", "sagemaker")
# EC2's quotas of accelerated machines, on demand and on the spot market, and of all common ones on the latter.
MACHINES = {
    "L-DB2E81BA": "G and VT",
    "L-417A185B": "P",
    "L-3819A6DF": "spot G and VT",
    "L-7212CCBC": "spot P",
    "L-34B43A08": "spot standard",
}


def rule(event):
    if event.get("eventName") != "RequestServiceQuotaIncrease" or by_service(event):
        return False
    return text(event, "serviceCode") in MODELS or text(event, "quotaCode") in MACHINES


def title(event):
    verb = attempt(event, "requested", "request")
    return f"{actor(event)} {verb} a higher {text(event, 'serviceCode')} quota in account {account(event)}"


def dedup(event):
    return same_actor(event)


def severity(event):
    return "HIGH" if long_term_key(event) else "DEFAULT"


def alert_context(event):
    code = text(event, "quotaCode")
    quota = f"{code} ({MACHINES[code]})" if code in MACHINES else code
    return call_context(event) | {"quota": quota, "desired_value": number(event, "desiredValue")}
