from field_helpers import number
from guardduty_helpers import about_credentials, archived, finding_context, resource

HIGH = 7
CRITICAL = 9


def rule(event):
    # Stolen credentials have a rule of their own.
    return number(event, "severity") >= HIGH and not archived(event) and not about_credentials(event)


def title(event):
    return f"GuardDuty: {event.get('type')} on {resource(event)} in account {event.get('accountId')}"


def severity(event):
    return "CRITICAL" if number(event, "severity") >= CRITICAL else "DEFAULT"


def dedup(event):
    # A finding that goes on is exported again and again, under one id.
    return f"{event.get('accountId')}/{event.get('id')}"


def alert_context(event):
    return finding_context(event)
