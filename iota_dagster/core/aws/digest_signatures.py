"""Signatures of digests from S3 and CloudTrail's public keys, each asked with the digest's integration's role."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from iota_dagster.core.aws.accounts import Accounts
from iota_dagster.core.completeness.signature import CannotCheck
from iota_dagster.core.errors import SettingsError
from iota_dagster.core.local_objects import SCHEME
from iota_dagster.core.model import LogObject

_Place = tuple[str, str | None]
_AROUND = timedelta(days=1)


class DigestSignatures:
    """A `SignatureSource` for one look: keys are asked for once per integration and region, errors too."""

    def __init__(self, accounts: Accounts) -> None:
        """Nothing is asked yet."""
        self._accounts = accounts
        self._keys: dict[_Place, dict[str, bytes]] = {}
        self._failed: dict[_Place, str] = {}

    def signature(self, item: LogObject) -> str | None:
        """See `SignatureSource`: the object's metadata `signature`."""
        _refuse_folders(item)
        try:
            head = self._accounts(item.integration).head_object(Bucket=item.bucket, Key=item.key)
        except (ClientError, BotoCoreError, SettingsError) as error:
            raise CannotCheck(f"its signature cannot be read: {error}") from error
        return head["Metadata"].get("signature")

    def public_key(self, item: LogObject, fingerprint: str, moment: datetime) -> bytes | None:
        """See `SignatureSource`: a region has keys of its own."""
        _refuse_folders(item)
        place = item.integration, item.region
        if why := self._failed.get(place):
            raise CannotCheck(why)
        known = self._keys.setdefault(place, {})
        if fingerprint not in known:
            try:
                known |= self._listed(item, moment)
            except (ClientError, BotoCoreError, SettingsError) as error:
                self._failed[place] = f"cloudtrail:ListPublicKeys is not answered: {error}"
                raise CannotCheck(self._failed[place]) from error
        return known.get(fingerprint)

    def _listed(self, item: LogObject, moment: datetime) -> dict[str, bytes]:
        factory = self._accounts.for_integration(item.integration)
        options = replace(factory.options, region=item.region or factory.options.region)
        client: Any = factory.sibling(options).client("cloudtrail")
        answer = client.list_public_keys(StartTime=moment - _AROUND, EndTime=moment + _AROUND)
        return {key["Fingerprint"]: key["Value"] for key in answer["PublicKeyList"]}


def _refuse_folders(item: LogObject) -> None:
    if item.bucket.startswith(SCHEME):
        raise CannotCheck("a folder keeps no signatures")
