from field_helpers import texts
from securityhub_helpers import finding_context, first_resource, is_open, label

RATINGS = ("HIGH", "CRITICAL")
THREATS = ("TTPs/", "Effects/", "Unusual Behaviors")


def rule(event):
    # GuardDuty has rules of its own.
    if label(event) not in RATINGS or event.get("ProductName") == "GuardDuty":
        return False
    return is_open(event) and any(kind.startswith(THREATS) for kind in kinds(event))


def kinds(event):
    return texts(event, "Types") + texts(event, "FindingProviderFields", "Types")


def title(event):
    return f"{event.get('ProductName', 'Security Hub')}: {event.get('Title')} ({first_resource(event)})"


def severity(event):
    return label(event)


def dedup(event):
    return str(event.get("Id"))


def alert_context(event):
    return finding_context(event) | {"types": kinds(event)}
