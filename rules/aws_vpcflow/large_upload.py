from field_helpers import number
from network_helpers import flow_context, goes_out, host

GIB = 2**30


def rule(event):
    # AWS's own services (S3, mostly) get backups all day; CloudTrail and the S3 log see who writes there.
    if number(event, "bytes") < GIB or event.get("pktDstAwsService"):
        return False
    return event.get("action") == "ACCEPT" and goes_out(event)


def title(event):
    return f"{host(event)} uploaded gigabytes to {event.get('dstAddr')}"


def severity(event):
    return "HIGH" if number(event, "bytes") >= 10 * GIB else "DEFAULT"


def dedup(event):
    return f"{event.get('srcAddr')}/{event.get('dstAddr')}"


def alert_context(event):
    return flow_context(event) | {"gib": round(number(event, "bytes") / GIB, 1)}
