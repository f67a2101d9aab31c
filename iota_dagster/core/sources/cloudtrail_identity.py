"""CloudTrail's `userIdentity`: who made a call, flattened into columns, and the words it adds to the indicators.

The same few callers make most calls of an object, so every distinct text is parsed once, and the latest are remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import msgspec
import pyarrow as pa

from iota_dagster.core.sources.columns import Groups, Words, strings
from iota_dagster.core.sources.finders import ACCOUNT, EMAIL, INSTANCE, Finder
from iota_dagster.core.sources.lenient import read_leniently

IDENTITY_COLUMNS = {
    "userIdentity_type": "Root, IAMUser, AssumedRole, FederatedUser, AWSService, AWSAccount, IdentityCenterUser, …",
    "userIdentity_principalId": "Unique id of the caller",
    "userIdentity_arn": "ARN of the caller",
    "userIdentity_accountId": "Account of the caller",
    "userIdentity_accessKeyId": "Access key that signed the request",
    "userIdentity_userName": "Friendly name of the caller",
    "userIdentity_invokedBy": "AWS service that made the call for the caller",
    "userIdentity_identityProvider": "Identity provider of a federated caller",
    "userIdentity_sourceIdentity": "Source identity set on the session",
    "userIdentity_mfaAuthenticated": "true when the session was opened with MFA, as the vendor writes it",
    "userIdentity_creationDate": "When the session was opened, as the vendor writes it",
    "userIdentity_sessionIssuer_type": "Kind of identity that gave the session, e.g. Role",
    "userIdentity_sessionIssuer_principalId": "Unique id of the identity that gave the session",
    "userIdentity_sessionIssuer_arn": "ARN of the identity that gave the session",
    "userIdentity_sessionIssuer_accountId": "Account of the identity that gave the session",
    "userIdentity_sessionIssuer_userName": "Name of the role or user that gave the session",
}


class _Issuer(msgspec.Struct, gc=False):
    type: str | None = None
    principalId: str | None = None
    arn: str | None = None
    accountId: str | None = None
    userName: str | None = None


class _Attributes(msgspec.Struct, gc=False):
    mfaAuthenticated: str | None = None
    creationDate: str | None = None


class _Session(msgspec.Struct, gc=False):
    sessionIssuer: _Issuer | None = None
    attributes: _Attributes | None = None
    sourceIdentity: str | None = None


class _Identity(msgspec.Struct, gc=False):
    type: str | None = None
    principalId: str | None = None
    arn: str | None = None
    accountId: str | None = None
    accessKeyId: str | None = None
    userName: str | None = None
    invokedBy: str | None = None
    identityProvider: str | None = None
    sessionContext: _Session | None = None


@dataclass(frozen=True, slots=True)
class IdentityWords:
    """What one `userIdentity` adds to the indicators of its record."""

    usernames: Words = ()
    emails: Words = ()
    arns: Words = ()
    accounts: Words = ()
    instances: Words = ()


_Reading = tuple[tuple[str | None, ...], IdentityWords]
_NOBODY: _Reading = ((None,) * len(IDENTITY_COLUMNS), IdentityWords())
_decode = msgspec.json.Decoder(_Identity).decode


def read_identities(texts: pa.StringArray) -> tuple[list[pa.Array], Groups[IdentityWords]]:
    """The columns of `IDENTITY_COLUMNS`, and every row's words, from the JSON texts of `userIdentity`."""
    identities = Groups.of(texts, _read, _NOBODY)
    columns = [strings(column) for column in zip(*(flat for flat, _ in identities.values), strict=True)]
    rows = pa.RecordBatch.from_arrays(columns, list(IDENTITY_COLUMNS)).take(pa.array(identities.rows))
    return rows.columns, identities.map(lambda identity: identity[1])


@lru_cache(maxsize=2048)
def _read(text: str) -> _Reading:
    try:
        identity = _decode(text)
    except msgspec.MsgspecError:
        identity = read_leniently(_Identity, text.encode()) or _Identity()
    return _flat(identity), _words(identity)


def _flat(identity: _Identity) -> tuple[str | None, ...]:
    session = identity.sessionContext or _Session()
    issuer = session.sessionIssuer or _Issuer()
    attributes = session.attributes or _Attributes()
    return (
        *msgspec.structs.astuple(identity)[:-1],
        session.sourceIdentity,
        attributes.mfaAuthenticated,
        attributes.creationDate,
        *msgspec.structs.astuple(issuer),
    )


def _words(identity: _Identity) -> IdentityWords:
    issuer = (identity.sessionContext and identity.sessionContext.sessionIssuer) or _Issuer()
    names = _distinct(identity.userName, issuer.userName)
    session_name = (identity.principalId or "").partition(":")[2]
    return IdentityWords(
        usernames=names,
        emails=_found(EMAIL, *names, session_name),
        arns=_distinct(identity.arn, issuer.arn),
        accounts=_found(ACCOUNT, identity.accountId, issuer.accountId),
        instances=_found(INSTANCE, session_name),
    )


def _distinct(*values: str | None) -> Words:
    return tuple(dict.fromkeys(value for value in values if value))


def _found(finder: Finder, *values: str | None) -> Words:
    """What a finder of one indicator finds in some texts; not every account id is one (`ANONYMOUS_PRINCIPAL`)."""
    return _distinct(*(word for value in values if value for word in finder.find(value)[0]))
