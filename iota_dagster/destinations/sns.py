"""An SNS topic of AWS: from there to mail, chat, Lambda functions or queues of your own.

The message is `core.alerting.destination.payload` as JSON. `severity`, `rule_id` and `log_type` are attributes, for
subscriptions that filter. A FIFO topic drops what comes twice within five minutes, by the delivery's id.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import Field

from iota_dagster.core.alerting.destination import Unavailable, payload
from iota_dagster.core.errors import DeliveryFailed
from iota_dagster.core.model import Delivery
from iota_dagster.core.text import one_line
from iota_dagster.destinations.base import DestinationSettings, Means

_SUBJECT, _MOST_BYTES = 99, 200_000  # SNS takes less than 100 characters, and 256 KiB in all
_ATTRIBUTE = 256
_CONNECT, _READ = 3, 5  # seconds, for each address and attempt: all of them must stay within the outbox's lease


class Sns(DestinationSettings):
    """A destination: an SNS topic, published to with iota's own credentials (`sns:Publish`)."""

    type: Literal["sns"] = Field(description="Always `sns`.")
    topic_arn: str = Field(
        pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+(\.fifo)?$",
        examples=["arn:aws:sns:eu-central-1:111122223333:security-alerts"],
        description="The topic.",
    )

    def open(self, means: Means) -> SnsTopic:
        """What publishes there, in the topic's own region."""
        region = self.topic_arn.split(":")[3]
        options = replace(
            means.clients.options, region=region, connect_seconds=_CONNECT, read_seconds=_READ, attempts=2
        )
        clients = means.clients.sibling(options)
        return SnsTopic(self.name, self.topic_arn, lambda: clients.client("sns"))


@dataclass(frozen=True, slots=True)
class SnsTopic:
    """Publishes alerts to a topic."""

    name: str
    topic_arn: str
    client: Callable[[], Any]

    def send(self, delivery: Delivery) -> None:
        """Publish the alert's message."""
        from botocore.exceptions import BotoCoreError, ClientError

        alert = delivery.alert
        more: dict[str, str] = {}
        if self.topic_arn.endswith(".fifo"):
            more = {"MessageGroupId": alert.id, "MessageDeduplicationId": delivery.id}
        try:
            self.client().publish(
                TopicArn=self.topic_arn,
                Subject=_subject(f"{alert.severity}: {alert.title}"),
                Message=json.dumps(payload(delivery, _MOST_BYTES)),
                MessageAttributes=_attributes(severity=alert.severity, rule_id=alert.rule_id, log_type=alert.log_type),
                **more,
            )
        except BotoCoreError as error:  # no connection, no credentials: SNS was not even asked
            raise Unavailable(f"{self.name}: {one_line(str(error))}") from error
        except ClientError as error:
            raise DeliveryFailed(f"{self.name}: {one_line(str(error))}") from error

    def was_delivered(self, delivery: Delivery) -> None:
        """Unknown: nobody can be asked."""


def _subject(text: str) -> str:
    """What SNS takes as one: printable ASCII on one line."""
    ascii_text = "".join(char if " " <= char <= "~" else "?" for char in one_line(text))
    return ascii_text[:_SUBJECT].strip()


def _attributes(**values: str) -> dict[str, dict[str, str]]:
    return {name: {"DataType": "String", "StringValue": value[:_ATTRIBUTE]} for name, value in values.items() if value}
