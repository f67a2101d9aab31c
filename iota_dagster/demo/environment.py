"""The environment that the demo's processes see: its own settings and credentials, and nobody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_OTHERS = ("IOTA_", "AWS_", "DAGSTER_", "MOTO_")


@contextmanager
def only(variables: Mapping[str, str]) -> Iterator[None]:
    """For the block, and for processes started in it: these variables, and none that could lead to a real account.

    Whoever has AWS credentials, a profile or settings of their own in the environment gets them back afterwards.
    """
    before = dict(os.environ)
    for name in before:
        if name.startswith(_OTHERS):
            del os.environ[name]
    os.environ.update({**_no_real_account(), **variables})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _no_real_account() -> dict[str, str]:
    return {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
