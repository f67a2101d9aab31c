"""Whether a digest is CloudTrail's own: its RSA signature, by the public key that it names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from iota_dagster.core.completeness.digest import Digest
from iota_dagster.core.errors import IotaError
from iota_dagster.core.model import LogObject


class SignatureState(StrEnum):
    """What is known of a digest's signature."""

    VALID = "valid"
    INVALID = "invalid"
    UNCHECKED = "unchecked"  # nothing to check it with: the reason says what is lacking


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature's state; `why` explains every state but `valid`."""

    state: SignatureState
    why: str = ""


class CannotCheck(IotaError):
    """Signature or public keys cannot be had; the text says why."""


class SignatureSource(Protocol):
    """Where signatures and public keys come from. Both methods raise `CannotCheck`."""

    def signature(self, item: LogObject) -> str | None:
        """The signature (hexadecimal) that was delivered beside a digest; None where there is none."""
        ...

    def public_key(self, item: LogObject, fingerprint: str, moment: datetime) -> bytes | None:
        """The public key (DER, PKCS#1) that was valid at a moment in a digest's region; None for an unknown one."""
        ...


def check_signature(digest: Digest, item: LogObject, source: SignatureSource) -> Signature:
    """Verify the signature of a digest, which lies at `item`. Never raises for what the digest says.

    A key that CloudTrail does not know makes it invalid: a forger would bring his own.
    """
    try:
        key = source.public_key(item, digest.fingerprint, digest.end)
        signature = source.signature(item)
    except CannotCheck as error:
        return Signature(SignatureState.UNCHECKED, str(error))
    if key is None:
        return Signature(SignatureState.INVALID, f"CloudTrail has no public key {digest.fingerprint[:80]}")
    if signature is None:
        return Signature(SignatureState.INVALID, "it carries no signature")
    if not verifies(digest.signed_text(), signature, key):
        return Signature(SignatureState.INVALID, "its signature does not fit its content and place")
    return Signature(SignatureState.VALID)


def verifies(text: bytes, signature: str, key: bytes) -> bool:
    """Whether a hexadecimal signature (SHA-256 with RSA) of a text was made with the key's private half."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        public = load_der_public_key(key)
        if not isinstance(public, RSAPublicKey):
            return False
        public.verify(bytes.fromhex(signature), text, PKCS1v15(), SHA256())
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True
