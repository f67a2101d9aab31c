"""Posting JSON over HTTPS: for every destination that is a web service.

By requests, which finds the environment's proxies and certificate authorities (HTTPS_PROXY, REQUESTS_CA_BUNDLE) as
other programs do. Redirects are not followed. An error's text never holds the URL: with many services it is a secret.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from iota_dagster.core.errors import DeliveryFailed
from iota_dagster.core.text import one_line

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

_CONNECT, _READ = 5, 10  # seconds; a claim's ten deliveries must stay within the outbox's lease
_SHOWN = 200  # characters of an answer
_TELLING = 4  # shorter parts of a URL tell nothing


def post_json(
    name: str, url: str, body: bytes, headers: Mapping[str, str] | None = None, secrets: Collection[str] = ()
) -> None:
    """Post to a URL; returns once it was taken (2xx).

    `DeliveryFailed`, named after the destination, for everything else: another attempt may help each time, when a
    service is back or a key was corrected. An answer that repeats the URL or one of the `secrets` is not quoted.
    """
    import requests  # 0.1 s that only those pay who send by it

    sent = {"Content-Type": "application/json", "User-Agent": "iota"} | dict(headers or {})
    host = urlsplit(url).hostname
    try:
        with requests.post(
            url, body, headers=sent, timeout=(_CONNECT, _READ), allow_redirects=False, stream=True, auth=_as_it_is
        ) as answer:
            if not 200 <= answer.status_code < 300:
                said = _shown(answer, [*urlsplit(url).path.split("/"), urlsplit(url).query, *secrets])
                raise DeliveryFailed(f"{name}: {host} answers {answer.status_code}{said}")
    except requests.Timeout:
        raise DeliveryFailed(f"{name}: {host} does not answer within {_READ} s") from None
    except requests.exceptions.SSLError:
        raise DeliveryFailed(f"{name}: {host} has a certificate that cannot be trusted") from None
    except (requests.RequestException, ValueError) as error:
        raise DeliveryFailed(f"{name}: {host} cannot be reached ({type(error).__name__})") from None


def _shown(answer: Response, secrets: Iterable[str]) -> str:
    """What an answer says, as far as it has come; nothing where it repeats a part of the URL or another secret."""
    from urllib3.exceptions import HTTPError

    try:
        said = answer.raw.read1(_SHOWN * 4, decode_content=True).decode(errors="replace")
    except (HTTPError, OSError):
        return ""
    text = f"{answer.reason or ''}: {said}".removesuffix(": ").replace("\\", "")
    if any(len(secret) >= _TELLING and secret in spelt for secret in secrets for spelt in (text, unquote(text))):
        return ""
    return f" {one_line(text)[:_SHOWN]}"


def _as_it_is(request: PreparedRequest) -> PreparedRequest:
    """Keeps requests from sending what ~/.netrc has for the host."""
    return request


def checked_url(url: str) -> str:
    """The URL, if it is one to post to: https, or http to this host (a proxy beside us). `ValueError` without it."""
    parts = urlsplit(url)
    here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not (parts.hostname and (here or parts.scheme == "https")):
        raise ValueError("expected a URL that starts with https://")
    return url
