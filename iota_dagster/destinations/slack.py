"""A Slack channel, by an incoming webhook (api.slack.com/messaging/webhooks).

Slack reads `<!channel>`, links and mentions out of a text's `<…>`. Titles and contexts quote what an attacker wrote, so
everything is either escaped or in a block of plain text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator

from iota_dagster.core.alerting.destination import payload
from iota_dagster.core.errors import DeliveryFailed
from iota_dagster.core.model import Delivery
from iota_dagster.core.text import one_line, printable
from iota_dagster.destinations.base import DestinationSettings, Means, Secret, either
from iota_dagster.destinations.http import checked_url, post_json

_HEADER, _SECTION, _CONTEXT = 150, 2_900, 1_500  # characters; Slack takes 150, 3,000 and 2,000
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Slack(DestinationSettings):
    """A destination: a Slack channel, by its incoming webhook."""

    type: Literal["slack"] = Field(description="Always `slack`.")
    url: SecretStr | None = Field(None, min_length=1, repr=False, description="The incoming webhook's URL (secret).")
    url_secret: str | None = Field(None, min_length=1, description="Instead: the secret in AWS Secrets Manager.")

    @model_validator(mode="after")
    def _one_url(self) -> Slack:
        either(self.name, self.url, self.url_secret, "url")
        if self.url:
            checked_url(self.url.get_secret_value())
        return self

    def open(self, means: Means) -> SlackChannel:
        """What posts there."""
        return SlackChannel(self.name, self.chosen_secret(self.url, self.url_secret, means))


@dataclass(frozen=True, slots=True)
class SlackChannel:
    """Posts alerts as messages. Slack cannot be asked: what dies between posting and noting it is posted again."""

    name: str
    url: Secret = field(repr=False)

    def send(self, delivery: Delivery) -> None:
        """Post the alert's message."""
        try:
            url = checked_url(self.url())
        except ValueError as error:
            raise DeliveryFailed(f"{self.name}: {error}") from None
        post_json(self.name, url, json.dumps(message(delivery)).encode())

    def was_delivered(self, delivery: Delivery) -> None:
        """Unknown: nobody can be asked."""


def message(delivery: Delivery) -> dict[str, Any]:
    """The message: what happened in one line, how bad, how often and when, the rule's words, the alert's context."""
    alert = delivery.alert
    summary = f"{alert.severity}: {one_line(alert.title)[:_HEADER]}".translate(_ESCAPES)  # where blocks are not shown
    return {"text": summary, "blocks": list(_blocks(delivery))}


def _blocks(delivery: Delivery) -> Iterator[dict[str, Any]]:
    alert, found = delivery.alert, payload(delivery)
    yield {"type": "header", "text": _plain(one_line(alert.title) or alert.rule_id, _HEADER)}
    matches = f"{alert.matches} match" + ("es" if alert.matches != 1 else "")
    since = f"{found['first_event_time'][:19]}Z"
    until = f"{found['last_event_time'][:19]}Z"
    when = since if since == until else f"{since} to {until}"
    facts = " · ".join(
        part for part in (alert.severity, one_line(alert.rule_id), alert.log_type, matches, when) if part
    )
    yield {"type": "context", "elements": [_plain(facts, _CONTEXT)]}
    for text in (alert.description, alert.runbook):
        if text:
            yield {"type": "section", "text": _plain(printable(text), _SECTION)}
    if found["context"]:
        shown = json.dumps(found["context"], indent=1, ensure_ascii=False)
        yield {"type": "section", "text": _plain(printable(shown), _SECTION)}
    last = [text for text in (alert.reference, f"alert {alert.id}") if text]
    yield {"type": "context", "elements": [_plain(one_line(text), _CONTEXT) for text in last]}


def _plain(text: str, longest: int) -> dict[str, Any]:
    """A text in which Slack reads nothing but the text."""
    shown = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return {"type": "plain_text", "text": shown, "emoji": False}
