"""Secrets that the settings only name: read from AWS Secrets Manager by dagster-aws, when one is first needed."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

from iota_dagster.core.errors import Outage

if TYPE_CHECKING:
    from dagster_aws.secretsmanager import SecretsManagerResource

    from iota_dagster.settings import Settings

_ATTEMPTS = 3
_ADVICE = {
    "AccessDeniedException": "our role needs secretsmanager:GetSecretValue on it, and kms:Decrypt on a key of your own",
    "DecryptionFailure": "our role needs kms:Decrypt on its key",
    "InvalidRequestException": "it is being deleted: restore it or name another one",
    "ResourceNotFoundException": "there is no such secret in this account and region",
}


def resolve(settings: Settings, name: str) -> str:
    """The text of the secret of that name or ARN, without white space around it.

    Each secret is read once per process: after changing one, start the processes anew. `Outage` when it cannot be had,
    so that what depends on it waits and is done once the secret is there; no value ever gets into an error.
    """
    return _read(name, settings.region, settings.endpoint_url)


def secrets_manager(region: str | None, endpoint_url: str | None) -> SecretsManagerResource:
    """The Dagster resource that reads secrets. Its client has botocore's own time-outs, 60 s."""
    from dagster import BetaWarning
    from dagster_aws.secretsmanager import SecretsManagerResource  # 1.2 s

    with warnings.catch_warnings():  # it is pinned to a minor version, and nobody who runs iota can change that
        warnings.simplefilter("ignore", BetaWarning)
        return SecretsManagerResource(region_name=region, endpoint_url=endpoint_url, max_attempts=_ATTEMPTS)


@lru_cache(maxsize=256)
def _read(name: str, region: str | None, endpoint_url: str | None) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = secrets_manager(region, endpoint_url).get_client().get_secret_value(SecretId=name)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise Outage(f"the secret {name} cannot be read: {_ADVICE.get(code) or error}") from error
    except BotoCoreError as error:
        raise Outage(f"the secret {name} cannot be read: {error}") from error
    text = answer.get("SecretString")
    if text is None:
        raise Outage(f"the secret {name} is binary: store it as plain text")
    if not text.strip():
        raise Outage(f"the secret {name} is empty")
    if text.lstrip().startswith("{"):  # what the console makes of "key/value pairs"
        raise Outage(f"the secret {name} is a JSON object: store the value alone, as plain text")
    return str(text.strip())
