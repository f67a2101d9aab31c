import re

from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, same_actor, text
from cloudtrail_sharing import number, texts

LAUNCHES = ("RunInstances", "RequestSpotInstances")
# Accelerated families (GPU, Trainium, Inferentia, FPGA, video), high performance, memory by the terabyte.
COSTLY_FAMILY = re.compile(r"(p|g|gr|trn|inf|dl|vt|f|hpc|u)\d|u-")
LARGE_SIZE = 16  # xlarge: 64 processors and more


def rule(event):
    if event.get("eventName") not in LAUNCHES or by_service(event):
        return False
    return any(costly(kind) for kind in instance_types(event))


def instance_types(event):
    # A launch template keeps the type out of the request; the response has it.
    asked = text(event, "instanceType") or text(event, "launchSpecification", "instanceType")
    started = event.deep_walk("responseElements", "instancesSet", "items", "instanceType", return_val="first")
    return [str(kind) for kind in (asked, started) if kind]


def costly(kind):
    family, _, size = kind.partition(".")
    if COSTLY_FAMILY.match(family) or size.startswith("metal"):
        return True
    multiple = size.removesuffix("xlarge")
    return multiple.isdecimal() and int(multiple) >= LARGE_SIZE


def how_many(event):
    counts = texts(event, "instancesSet", "items", "maxCount")
    return max([number(event, "instanceCount"), 1, *(int(count) for count in counts if count.isdecimal())])


def title(event):
    verb = attempt(event, "launched", "launch")
    return f"{actor(event)} {verb} {instance_types(event)[0]} instances in account {account(event)}"


def dedup(event):
    return same_actor(event)


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {
        "instance_type": instance_types(event)[0],
        "how_many": how_many(event),
        "instances": event.deep_walk("responseElements", "instancesSet", "items", "instanceId"),
    }
