"""What a text says of the indicators: which addresses, names, ARNs and ids are in it, in one spelling each.

An indicator is found by equality, so a finder gives the spelling that every log type shares: addresses as RFC 5952 has
them and IPv4 where one is mapped into IPv6, domain names and emails in lower case without the final dot.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from iota_dagster.core.sources.columns import NO_WORDS, Words

_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?:{_BYTE}\.){{3}}{_BYTE}")
_DOMAIN = re.compile(r"(?=.{4,253}$)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{1,62}")
_EMAIL = re.compile(r"[^\s@:/,;<>\"]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_ACCOUNT = re.compile("[0-9]{12}")
_INSTANCE = re.compile(r"i-(?:[0-9a-f]{17}|[0-9a-f]{8})")
_ARN_INSTANCE = re.compile(r"[:/](i-(?:[0-9a-f]{17}|[0-9a-f]{8}))(?![0-9a-f])")
_SHA256 = re.compile(r"(?:sha256:)?([0-9A-Fa-f]{64})")
_PRINCIPAL = re.compile(r"arn:[^:]*:(?:iam|sts)::[0-9]*:(user|role|assumed-role|federated-user)/(.+)")
_PORT = re.compile(r"(\[[^\]]*\]|[^:]*):\d{1,5}")
_URL_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#\s]*@)?(\[[^\]/?#\s]*\]|[^/?#:\s]*)")


@dataclass(frozen=True, slots=True)
class Finder:
    """Which indicators a text may name, and the words that it names for each of them, in the same order."""

    gives: tuple[str, ...]
    find: Callable[[str], tuple[Words, ...]]


@lru_cache(maxsize=8192)
def address(text: str) -> str | None:
    """The address in a text, with or without brackets and port; None when it is none."""
    if _IPV4.fullmatch(text):
        return text
    for candidate in (text, text.strip("[]"), _without_port(text)):
        try:
            found = ipaddress.ip_address(candidate)
        except ValueError:
            continue
        mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
        return str(mapped or found)
    return None


def domain(text: str) -> str | None:
    """The domain name in a text, with or without port and final dot; None when it is none."""
    name = _without_port(text).removesuffix(".")
    return name.lower() if _DOMAIN.fullmatch(name) else None


def account_id(text: str) -> str | None:
    """The AWS account id that a text is; None when it is none."""
    return text if _ACCOUNT.fullmatch(text) else None


def _without_port(text: str) -> str:
    found = _PORT.fullmatch(text)
    return found[1].strip("[]") if found else text


def _one(word: str | None) -> Words:
    return NO_WORDS if word is None else (word,)


def _place(text: str) -> tuple[Words, Words]:
    found = address(text)
    return (_one(found), NO_WORDS) if found else (NO_WORDS, _one(domain(text)))


def _url(text: str) -> tuple[Words, Words]:
    host = _URL_HOST.match(text)
    return _place(host[1]) if host else (NO_WORDS, NO_WORDS)


def _email(text: str) -> Words:
    return (text.lower(),) if _EMAIL.fullmatch(text) else NO_WORDS


def _user(text: str) -> tuple[Words, Words]:
    return (_one(text or None), _email(text))


def _account(text: str) -> Words:
    return _one(account_id(text))


def _arn(text: str) -> tuple[Words, Words, Words]:
    if not text.startswith("arn:"):
        return NO_WORDS, NO_WORDS, NO_WORDS
    parts = text.split(":", 5)
    account = _account(parts[4]) if len(parts) > 5 else NO_WORDS
    return (text,), account, tuple(_ARN_INSTANCE.findall(text)) if "i-" in text else NO_WORDS


def _principal(text: str) -> tuple[Words, ...]:
    found = _PRINCIPAL.fullmatch(text)
    if found is None:
        return (NO_WORDS, NO_WORDS, *_arn(text))
    names = found[2].split("/")
    name = names[0 if found[1] == "assumed-role" else -1]
    return ((name,), _email(names[-1]), *_arn(text))


def _sha256(text: str) -> Words:
    found = _SHA256.fullmatch(text)
    return (found[1].lower(),) if found else NO_WORDS


def _single(indicator: str, find: Callable[[str], Words]) -> Finder:
    return Finder((indicator,), lambda text: (find(text),))


def all_of(*finders: Finder) -> Finder:
    """A finder of all that several ones find."""
    gives = tuple(name for finder in finders for name in finder.gives)
    return Finder(gives, lambda text: tuple(words for finder in finders for words in finder.find(text)))


IP = _single("p_any_ip_addresses", lambda text: _one(address(text)))
"""An address."""
PLACE = Finder(("p_any_ip_addresses", "p_any_domain_names"), _place)
"""An address or a domain name."""
URL = Finder(("p_any_ip_addresses", "p_any_domain_names"), _url)
"""A URL: its host."""
DOMAIN = _single("p_any_domain_names", lambda text: _one(domain(text)))
"""A domain name."""
EMAIL = _single("p_any_emails", _email)
"""An email address, and nothing else."""
USER = Finder(("p_any_usernames", "p_any_emails"), _user)
"""The name of a user, as it stands; one that is an email address is found as that too."""
ARN = Finder(("p_any_aws_arns", "p_any_aws_account_ids", "p_any_aws_instance_ids"), _arn)
"""An ARN, with the account and the instance in it."""
PRINCIPAL = Finder(("p_any_usernames", "p_any_emails", *ARN.gives), _principal)
"""The ARN of who acts: also the name of the user or role, and the session's name where it is an email address."""
ACCOUNT = _single("p_any_aws_account_ids", _account)
"""An AWS account id."""
INSTANCE = _single("p_any_aws_instance_ids", lambda text: (text,) if _INSTANCE.fullmatch(text) else NO_WORDS)
"""An EC2 instance id."""
SHA256 = _single("p_any_sha256_hashes", _sha256)
"""A SHA-256 in hexadecimal digits."""
TRACE = _single("p_any_trace_ids", lambda text: _one(text or None))
"""An id that links events across logs, as it stands."""
