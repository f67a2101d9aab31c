"""The views under the names by which public helpers ask what they were given."""

from iota_dagster.core.detection.event import ListView as ImmutableList
from iota_dagster.core.detection.event import MappingView as ImmutableCaseInsensitiveDict

__all__ = ["ImmutableCaseInsensitiveDict", "ImmutableList"]
