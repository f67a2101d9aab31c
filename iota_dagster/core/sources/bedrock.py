"""Bedrock model invocation logs: who asked which model what, and the answer, from S3 or CloudWatch Logs."""

from __future__ import annotations

from iota_dagster.core.sources.fields import Layout, integer, moment, structure, text
from iota_dagster.core.sources.finders import ACCOUNT, ARN, PRINCIPAL, TRACE
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.marks import Marks

_LAYOUT = Layout(
    (
        text("schemaVersion", "Version of the record's format"),
        moment("timestamp", "When the model was called (UTC)"),
        text("accountId", "The account that called", ACCOUNT),
        text("region", "The region that was called"),
        text("inferenceRegion", "The region that answered, where a profile spreads calls over several"),
        text("requestId", "Bedrock's id of the call, CloudTrail's requestID", TRACE),
        text("operation", "InvokeModel, InvokeModelWithResponseStream, Converse, ConverseStream, …"),
        text("modelId", "Id or ARN of the model", ARN),
        text("errorCode", "Why the call failed, where it did"),
        text("identity.arn", "ARN of the caller", PRINCIPAL),
        text("input.inputContentType", "Media type of the question"),
        integer("input.inputTokenCount", "Tokens of the question"),
        integer("input.cacheReadInputTokenCount", "Tokens of the question that came from a cache"),
        integer("input.cacheWriteInputTokenCount", "Tokens of the question that were put into a cache"),
        text("input.inputBodyS3Path", "Where the question lies if it was too big for the record"),
        structure("input.inputBodyJson", "The question (JSON)"),
        text("output.outputContentType", "Media type of the answer"),
        integer("output.outputTokenCount", "Tokens of the answer"),
        text("output.outputBodyS3Path", "Where the answer lies if it was too big for the record"),
        structure("output.outputBodyJson", "The answer, or the pieces of a streamed one (JSON)"),
        text("output.outputBodyJson.stopReason", "Why the model ended, e.g. guardrail_intervened (Converse)"),
        text("output.outputBodyJson.amazon-bedrock-guardrailAction", "INTERVENED or NONE (InvokeModel)"),
        structure("requestMetadata", "What the caller said of the call (JSON)"),
    ),
    time=("timestamp",),
    identity=("requestId",),
    account=("accountId",),
    region=("region",),
)

SOURCE = JsonSource(
    "AWS.BedrockModelInvocation",
    "bedrock_invocation_events",
    _LAYOUT,
    Marks({"schemaType": b'"ModelInvocationLog"'}),
    description="Calls of Bedrock models: who asked what, and the answers",
    key=r"/BedrockModelInvocationLogs/",
)
