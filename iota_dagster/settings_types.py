"""The types of settings: paths, places and sizes, each checked and made absolute as it is read."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, ValidationInfo

MIB, GIB = 2**20, 2**30


class Model(BaseModel):
    """What all settings share: frozen, no unknown keys, defaults checked, no input in an error's text."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)


class EnvironmentText(str):
    """A value from the environment: a relative path in it starts at the working folder, not at iota.yaml's."""


def _absolute(value: Any, info: ValidationInfo) -> Any:
    """A path made absolute, so that runs, workers and commands of any working folder mean the same one."""
    if not isinstance(value, (str, Path)):
        return value
    context = {} if isinstance(value, EnvironmentText) else info.context or {}
    base = context.get("base") or Path.cwd()
    return Path(os.path.normpath(base / Path(value).expanduser()))


def _storage_url(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, (str, Path)) or re.fullmatch(r"s3://[a-z0-9][^/]+(/.*)?", str(value)):
        return value
    path = str(value).removeprefix("file://")
    if "://" in path or not path:
        raise ValueError("expected a folder or s3://bucket/prefix")
    return str(_absolute(type(value)(path), info))


def _store_url(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str) or re.match(r"postgresql(\+psycopg)?://", value):
        return value
    if not (path := value.removeprefix("sqlite:///")) or path == value:
        raise ValueError("expected sqlite:///path/to/file or postgresql://user:password@host/database")
    return f"sqlite:///{_absolute(type(value)(path), info)}"


LocalPath = Annotated[Path, BeforeValidator(_absolute)]
StorageUrl = Annotated[str, BeforeValidator(_storage_url)]
StoreUrl = Annotated[str, BeforeValidator(_store_url)]
Size = Annotated[ByteSize, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", examples=["security-team"])]
