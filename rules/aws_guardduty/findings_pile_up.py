from field_helpers import number, text
from guardduty_helpers import archived, finding_context, resource

MEDIUM = 4
HIGH = 7


def rule(event):
    return MEDIUM <= number(event, "severity") < HIGH and not archived(event)


def title(event):
    return f"GuardDuty: several kinds of findings pile up on {resource(event)} in account {event.get('accountId')}"


def dedup(event):
    return f"{event.get('accountId')}/{resource(event)}"


def unique(event):
    return text(event, "type", default="unknown")


def alert_context(event):
    return finding_context(event)
