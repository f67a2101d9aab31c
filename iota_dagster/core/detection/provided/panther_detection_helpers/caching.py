"""What rules remember between events, under the name that public rules import it by."""

from iota_dagster.core.detection.rule_memory import *  # noqa: F403 - all of it, and nothing else
from iota_dagster.core.detection.rule_memory import __all__ as __all__
