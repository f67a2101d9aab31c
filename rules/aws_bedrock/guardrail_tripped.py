from bedrock_helpers import caller, invocation_context, outputs
from field_helpers import text


def rule(event):
    return any(stopped(answer) for answer in outputs(event))


def stopped(answer):
    # Converse and its stream say it by the reason for the end, InvokeModel by a field of its own.
    reasons = (text(answer, "stopReason"), text(answer, "messageStop", "stopReason"))
    return "guardrail_intervened" in reasons or text(answer, "amazon-bedrock-guardrailAction") == "INTERVENED"


def title(event):
    return f"{caller(event)} runs into Bedrock's guardrails again and again"


def dedup(event):
    return f"{event.get('accountId')}/{caller(event)}"


def alert_context(event):
    return invocation_context(event)
