from field_helpers import text
from securityhub_helpers import finding_context, first_resource, is_open, label


def rule(event):
    if event.deep_get("Compliance", "Status") != "FAILED" or label(event) != "CRITICAL":
        return False
    return is_open(event)


def control(event):
    return text(event, "Compliance", "SecurityControlId") or text(event, "GeneratorId", default="unknown")


def title(event):
    return f"Critical control {control(event)} failed for {first_resource(event)}"


def dedup(event):
    return f"{event.get('AwsAccountId')}/{event.get('Region')}/{control(event)}"


def alert_context(event):
    return finding_context(event) | {"control": control(event)}
