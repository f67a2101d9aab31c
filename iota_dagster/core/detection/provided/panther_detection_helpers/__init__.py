"""The helpers under the name that public rules know them by; some rules import them from here directly."""

from iota_dagster.core.detection.provided.panther_detection_helpers.caching import *  # noqa: F403 - the same, once more
from iota_dagster.core.detection.provided.panther_detection_helpers.caching import __all__ as __all__
