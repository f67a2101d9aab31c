"""What several rules ask of a finding in the AWS Security Finding Format."""

from field_helpers import mappings, text

SETTLED = ("RESOLVED", "SUPPRESSED")


def is_open(event):
    """Whether a finding is current and nobody has dealt with it."""
    return event.get("RecordState") == "ACTIVE" and event.deep_get("Workflow", "Status") not in SETTLED


def label(event):
    """The rating of the finding: INFORMATIONAL, LOW, MEDIUM, HIGH or CRITICAL."""
    return text(event, "Severity", "Label")


def resources(event):
    """The ids of what the finding is about."""
    return [text(resource, "Id", default="unknown") for resource in mappings(event, "Resources")]


def first_resource(event):
    """The id of the first of them."""
    return next(iter(resources(event)), "an unknown resource")


def finding_context(event):
    """What an analyst looks at first, the same in every alert on findings."""
    return {
        "account": event.get("AwsAccountId"),
        "description": event.get("Description"),
        "first_seen": event.get("FirstObservedAt") or event.get("CreatedAt"),
        "id": event.get("Id"),
        "product": event.get("ProductName"),
        "region": event.get("Region"),
        "remediation": event.deep_get("Remediation", "Recommendation", "Url"),
        "resources": resources(event),
        "severity": label(event),
        "title": event.get("Title"),
    }
