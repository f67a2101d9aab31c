"""Any web service: the alert as JSON, signed by the convention of Standard Webhooks (standardwebhooks.com).

The body is `core.alerting.destination.payload`. `webhook-id` is the delivery's id, the same at every attempt, by which
a receiver knows a repetition; `webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from iota_dagster.core.alerting.destination import payload
from iota_dagster.core.errors import DeliveryFailed
from iota_dagster.core.model import Delivery
from iota_dagster.destinations.base import DestinationSettings, Means, Secret, either
from iota_dagster.destinations.http import checked_url, post_json

MOST_BYTES = 500_000
_PREFIX = "whsec_"
_SHORTEST = 24  # bytes of a key, as the convention asks


class Webhook(DestinationSettings):
    """A destination: a web service of your own, or a vendor's, that takes JSON."""

    type: Literal["webhook"] = Field(description="Always `webhook`.")
    url: SecretStr | None = Field(None, min_length=1, repr=False, description="Its URL (may hold a secret).")
    url_secret: str | None = Field(None, min_length=1, description="Instead: the secret in AWS Secrets Manager.")
    signing_key: SecretStr | None = Field(
        None, min_length=1, repr=False, description="`whsec_` and the base64 of 24 bytes or more; none: not signed."
    )
    signing_key_secret: str | None = Field(None, min_length=1, description="Instead: the secret that holds it.")

    @model_validator(mode="after")
    def _one_url(self) -> Webhook:
        either(self.name, self.url, self.url_secret, "url")
        if self.url:
            checked_url(self.url.get_secret_value())
        if self.signing_key:
            if self.signing_key_secret:
                raise ValueError(f"{self.name}: expected either signing_key or signing_key_secret")
            key_of(self.signing_key.get_secret_value())
        return self

    def open(self, means: Means) -> WebhookSender:
        """What posts there."""
        signed = self.signing_key or self.signing_key_secret
        return WebhookSender(
            self.name,
            self.chosen_secret(self.url, self.url_secret, means),
            self.chosen_secret(self.signing_key, self.signing_key_secret, means) if signed else None,
        )


@dataclass(frozen=True, slots=True)
class WebhookSender:
    """Posts alerts to a URL; receivers tell repetitions by `webhook-id`."""

    name: str
    url: Secret = field(repr=False)
    signing_key: Secret | None = field(default=None, repr=False)
    clock: Callable[[], float] = time.time

    def send(self, delivery: Delivery) -> None:
        """Post the alert."""
        body = json.dumps(payload(delivery, MOST_BYTES), separators=(",", ":")).encode()
        moment = str(int(self.clock()))
        headers = {"webhook-id": delivery.id, "webhook-timestamp": moment}
        try:
            if self.signing_key:
                headers["webhook-signature"] = signature(key_of(self.signing_key()), delivery.id, moment, body)
            url = checked_url(self.url())
        except ValueError as error:
            raise DeliveryFailed(f"{self.name}: {error}") from None
        post_json(self.name, url, body, headers)

    def was_delivered(self, delivery: Delivery) -> None:
        """Unknown: nobody can be asked."""


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """The value of `webhook-signature`."""
    signed = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(signed.digest()).decode()


def key_of(text: str) -> bytes:
    """The bytes of a signing key; `ValueError` when it is none, or too short to be secret."""
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < _SHORTEST:
        raise ValueError(f"expected a signing key of the form {_PREFIX}<base64 of {_SHORTEST} bytes or more>")
    return key
