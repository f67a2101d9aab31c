"""Posting JSON over HTTPS: for every destination that is a web service.

By requests, which finds the environment's proxies and certificate authorities (HTTPS_PROXY, REQUESTS_CA_BUNDLE) as
other programs do. Redirects are not followed. An error's text never holds the URL: with many services it is a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from iota_dagster.core.errors import DeliveryFailed
from iota_dagster.core.text import one_line

if TYPE_CHECKING:
    from requests import PreparedRequest

_CONNECT, _READ = 5, 10  # seconds; a claim's ten deliveries must stay within the outbox's lease
_SHOWN = 200  # characters of an answer


def post_json(name: str, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    """Post to a URL; returns once it was taken (2xx).

    `DeliveryFailed`, named after the destination, for everything else: each may help later, when a service is back or a
    key was corrected.
    """
    import requests  # 0.1 s that only those pay who send by it

    sent = {"Content-Type": "application/json", "User-Agent": "iota"} | dict(headers or {})
    host = urlsplit(url).hostname
    try:
        with requests.post(
            url, body, headers=sent, timeout=(_CONNECT, _READ), allow_redirects=False, stream=True, auth=_as_it_is
        ) as answer:
            if 200 <= answer.status_code < 300:
                return
            said = one_line(next(answer.iter_content(_SHOWN * 4), b"").decode(errors="replace"))[:_SHOWN]
            reason = f"{host} answers {answer.status_code} {one_line(answer.reason or '')}"
            raise DeliveryFailed(f"{name}: {reason}" + (f": {said}" if said else ""))
    except requests.Timeout:
        raise DeliveryFailed(f"{name}: {host} does not answer within {_READ} s") from None
    except requests.exceptions.SSLError:
        raise DeliveryFailed(f"{name}: {host} has a certificate that cannot be trusted") from None
    except (requests.RequestException, ValueError) as error:
        raise DeliveryFailed(f"{name}: {host} cannot be reached ({type(error).__name__})") from None


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
