from bedrock_helpers import caller, invocation_context
from field_helpers import text


def rule(event):
    return text(event, "identity", "arn").split(":", 5)[-1].startswith(("user/", "root"))


def title(event):
    return f"{caller(event)} calls Bedrock models with a long-term key in account {event.get('accountId')}"


def severity(event):
    name = text(event, "identity", "arn").split(":", 5)[-1]
    if name == "root":
        return "CRITICAL"
    # The console makes a user of this name for every API key of Bedrock: meant for trying things out.
    return "LOW" if name.startswith("user/BedrockAPIKey-") else "DEFAULT"


def dedup(event):
    return text(event, "identity", "arn")


def alert_context(event):
    return invocation_context(event)
