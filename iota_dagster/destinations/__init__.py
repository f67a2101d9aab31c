"""Where alerts go: a module per kind of destination, its settings and what sends there, and this list of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from iota_dagster.destinations.json_lines import JsonLines
from iota_dagster.destinations.pagerduty import PagerDuty
from iota_dagster.destinations.slack import Slack
from iota_dagster.destinations.sns import Sns
from iota_dagster.destinations.webhook import Webhook

AnyDestination = Annotated[JsonLines | Slack | PagerDuty | Sns | Webhook, Field(discriminator="type")]
