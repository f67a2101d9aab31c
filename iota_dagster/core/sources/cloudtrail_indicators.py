"""CloudTrail's indicators: the `p_any_…` words of every record, for searches across log types.

| indicator | from |
|---|---|
| IP addresses | `sourceIPAddress` when it is a valid address |
| domain names | `sourceIPAddress` when it names a service; the host name of `tlsDetails` |
| usernames, emails | the caller and the issuer of its session; the session's name when it is an email |
| ARNs, account ids | the caller, its issuer, `resources`; `recipientAccountId` |
| instance ids | the session's name, `requestParameters`, `responseElements` |
| trace ids | `requestID` (the call, in the service's own logs), `sharedEventID` (the call, in other accounts' trails) |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from iota_dagster.core.sources.cloudtrail_identity import IdentityWords
from iota_dagster.core.sources.columns import NO_WORDS, Groups, Words, lists, zipped
from iota_dagster.core.sources.finders import ACCOUNT, DOMAIN, PLACE

_QUOTED_INSTANCE = re.compile(r'"(i-(?:[0-9a-f]{17}|[0-9a-f]{8}))"')


class _Resource(msgspec.Struct, gc=False):
    ARN: str | None = None
    accountId: str | None = None


class _Tls(msgspec.Struct, gc=False):
    clientProvidedHostHeader: str | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    addresses: Words = ()
    domains: Words = ()


@dataclass(frozen=True, slots=True)
class _Touched:
    arns: Words = ()
    accounts: Words = ()


_resources = msgspec.json.Decoder(list[_Resource]).decode
_tls = msgspec.json.Decoder(_Tls).decode


def indicators(columns: Mapping[str, pa.StringArray], who: Groups[IdentityWords]) -> dict[str, pa.ListArray]:
    """The indicator columns from the record's columns and from what `userIdentity` said in every row."""
    places = Groups.of(columns["sourceIPAddress"], _place, _Place())
    hosts = Groups.of(columns["tlsDetails"], _host, NO_WORDS)
    touched = Groups.of(columns["resources"], _touched, _Touched())
    recipients = Groups.of(columns["recipientAccountId"], _account, NO_WORDS)
    callers = who.map(lambda words: words.accounts)
    return {
        "p_any_ip_addresses": places.map(lambda place: place.addresses).lists(),
        "p_any_domain_names": places.map(lambda place: place.domains).join(hosts).lists(),
        "p_any_emails": who.map(lambda words: words.emails).lists(),
        "p_any_usernames": who.map(lambda words: words.usernames).lists(),
        "p_any_aws_arns": who.map(lambda words: words.arns).join(touched.map(lambda item: item.arns)).lists(),
        "p_any_aws_account_ids": callers.join(touched.map(lambda item: item.accounts), recipients).lists(),
        "p_any_aws_instance_ids": _instances(columns, who.map(lambda words: words.instances)),
        "p_any_trace_ids": zipped(columns["requestID"], columns["sharedEventID"]),
    }


@lru_cache(maxsize=4096)
def _place(source: str) -> _Place:
    return _Place(*PLACE.find(source))


@lru_cache(maxsize=512)
def _account(value: str) -> Words:
    return ACCOUNT.find(value)[0]


@lru_cache(maxsize=512)
def _host(text: str) -> Words:
    try:
        return DOMAIN.find(_tls(text).clientProvidedHostHeader or "")[0]
    except msgspec.MsgspecError:
        return ()


def _touched(text: str) -> _Touched:
    try:
        resources = _resources(text)
    except msgspec.MsgspecError:
        return _Touched()
    arns = dict.fromkeys(resource.ARN for resource in resources if resource.ARN)
    accounts = dict.fromkeys(word for resource in resources for word in _account(resource.accountId or ""))
    return _Touched(tuple(arns), tuple(accounts))


def _instances(columns: Mapping[str, pa.StringArray], who: Groups[Words]) -> pa.ListArray:
    found: dict[int, Words] = {}
    for name in ("requestParameters", "responseElements"):
        mentioned = pc.indices_nonzero(pc.match_substring(columns[name], '"i-'))
        texts = columns[name].take(mentioned).to_pylist()
        for row, text in zip(mentioned.to_pylist(), texts, strict=True):
            found[row] = (*found.get(row, ()), *_QUOTED_INSTANCE.findall(text))
    if not any(found.values()):
        return who.lists()
    rows = [who.values[group] for group in who.rows.tolist()]
    for row, words in found.items():
        rows[row] = tuple(dict.fromkeys(rows[row] + words))
    return lists(rows)
