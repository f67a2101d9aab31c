"""Bedrock model invocations: calls, streamed answers and bodies that lie elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from iota_dagster.core.sources.bedrock import SOURCE
from tests.core.sources.cases import columns, indicators, row, text_of, writings

ARN = "arn:aws:sts::111122223333:assumed-role/chat/ann@example.com"
RECORD: dict[str, Any] = {
    "schemaType": "ModelInvocationLog",
    "schemaVersion": "1.0",
    "timestamp": "2024-03-14T09:26:53Z",
    "accountId": "111122223333",
    "identity": {"arn": ARN},
    "region": "us-east-1",
    "inferenceRegion": "us-west-2",
    "requestId": "11111111-2222-3333-4444-555555555555",
    "operation": "Converse",
    "modelId": "anthropic.example-model-v1:0",
    "input": {
        "inputContentType": "application/json",
        "inputBodyJson": {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]},
        "inputTokenCount": 8,
        "cacheReadInputTokenCount": 0,
        "cacheWriteInputTokenCount": 2,
    },
    "output": {
        "outputContentType": "application/json",
        "outputBodyJson": {"stopReason": "guardrail_intervened"},
        "outputTokenCount": 3,
    },
    "requestMetadata": {"team": "red"},
}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    plain = {name: value for name, value in RECORD.items() if isinstance(value, str) and name != "schemaType"}
    assert columns(row(SOURCE, RECORD)) == {
        **plain,
        "timestamp": datetime(2024, 3, 14, 9, 26, 53, tzinfo=UTC),
        "identity_arn": ARN,
        "input_inputContentType": "application/json",
        "input_inputTokenCount": 8,
        "input_cacheReadInputTokenCount": 0,
        "input_cacheWriteInputTokenCount": 2,
        "input_inputBodyJson": '{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}',
        "output_outputContentType": "application/json",
        "output_outputTokenCount": 3,
        "output_outputBodyJson": '{"stopReason":"guardrail_intervened"}',
        "output_outputBodyJson_stopReason": "guardrail_intervened",
        "requestMetadata": '{"team":"red"}',
    }


def test_identity_account_and_region_are_the_records() -> None:
    found = row(SOURCE, RECORD)
    assert (found["id"], found["account"], found["region"]) == (RECORD["requestId"], "111122223333", "us-east-1")


@pytest.mark.parametrize("written", ["2024-03-14T09:26:53Z", "2024-03-14T09:26:53", "2024-03-14T09:26:53.000000000"])
def test_the_time_is_utc_with_or_without_its_zone(written: str) -> None:
    assert row(SOURCE, RECORD, timestamp=written)["time"] == datetime(2024, 3, 14, 9, 26, 53, tzinfo=UTC)


def test_indicators_name_the_caller_and_the_call() -> None:
    assert indicators(row(SOURCE, RECORD)) == {
        "emails": ["ann@example.com"],
        "usernames": ["chat"],
        "aws_arns": [ARN],
        "aws_account_ids": ["111122223333"],
        "trace_ids": [RECORD["requestId"]],
    }


def test_the_arn_of_a_model_is_found_as_one() -> None:
    arn = "arn:aws:bedrock:us-east-1:444455556666:inference-profile/example"
    found = indicators(row(SOURCE, RECORD, modelId=arn))
    assert found["aws_arns"] == [arn, ARN]
    assert found["aws_account_ids"] == ["111122223333", "444455556666"]


def test_a_streamed_answer_stays_whole() -> None:
    pieces = [{"messageStart": {"role": "assistant"}}, {"messageStop": {"stopReason": "end_turn"}}]
    found = columns(row(SOURCE, RECORD, output={"outputBodyJson": pieces}))
    assert found["output_outputBodyJson"].startswith('[{"messageStart"')
    assert "output_outputBodyJson_stopReason" not in found


def test_a_guardrails_verdict_on_an_invoked_model_is_a_column() -> None:
    found = columns(row(SOURCE, RECORD, output={"outputBodyJson": {"amazon-bedrock-guardrailAction": "INTERVENED"}}))
    assert found["output_outputBodyJson_amazon_bedrock_guardrailAction"] == "INTERVENED"


def test_a_body_in_s3_is_named() -> None:
    path = "s3://example-logs/AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1/data/x_input.json.gz"
    assert columns(row(SOURCE, RECORD, input={"inputBodyS3Path": path}))["input_inputBodyS3Path"] == path


def test_a_record_is_known_however_it_is_written() -> None:
    trimmed = {"schemaType": "ModelInvocationLog", "requestId": "r"}
    assert all(SOURCE.accepts(text) for record in (RECORD, trimmed) for text in writings(record))
    for other in ({}, {"schemaType": "Other", "requestId": "r"}, {"detail": RECORD}, {"Records": [RECORD]}):
        assert not SOURCE.accepts(text_of(other))
    key = "AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1/2024/03/14/09/20240314T092653Z_x.json.gz"
    assert SOURCE.expects(key)


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, input="elsewhere", operation={"a": 1}, identity={"arn": None}))
    assert not [name for name in found if name.startswith(("input_", "identity"))]
    assert (found["operation"], found["modelId"]) == ('{"a":1}', "anthropic.example-model-v1:0")
