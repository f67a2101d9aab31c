"""What several rules ask of a Bedrock model invocation."""

from collections.abc import Mapping

from field_helpers import mappings, text


def caller(event):
    """Who called, as short as an ARN can be told: `assumed-role/App/web-1`, `user/alice`."""
    arn = text(event, "identity", "arn", default="an unknown caller")
    return arn.split(":", 5)[-1] or arn


def model(event):
    """The model's id without the ARN around it."""
    return text(event, "modelId", default="unknown").rpartition("/")[2]


def outputs(event):
    """The model's answer: one mapping, or the pieces of a stream."""
    body = event.deep_get("output", "outputBodyJson")
    return [body] if isinstance(body, Mapping) else mappings(event, "output", "outputBodyJson")


def invocation_context(event):
    """What an analyst looks at first, the same in every alert on invocations; never the text of a conversation."""
    return {
        "account": event.get("accountId"),
        "caller_arn": event.deep_get("identity", "arn"),
        "input_tokens": event.deep_get("input", "inputTokenCount"),
        "model": event.get("modelId"),
        "operation": event.get("operation"),
        "output_tokens": event.deep_get("output", "outputTokenCount"),
        "region": event.get("region"),
        "request_id": event.get("requestId"),
    }
