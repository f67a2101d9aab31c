"""Posting JSON over HTTPS: for every destination that is a web service.

By requests, which finds the environment's proxies and certificate authorities (HTTPS_PROXY, REQUESTS_CA_BUNDLE) as
other programs do. Redirects are not followed. A user and a password before the host are sent as HTTP Basic. An error's
text never holds the URL: with many services it is a secret.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus, urlsplit

from iota_dagster.core.alerting.destination import Unavailable
from iota_dagster.core.errors import DeliveryFailed
from iota_dagster.core.text import one_line

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

_CONNECT, _READ = 5, 10  # seconds, for each address of a host: all of them must stay within the outbox's lease
_SHOWN = 200  # characters of an answer
_TELLING = 4  # shorter parts of a URL tell nothing


def post_json(
    name: str, url: str, body: bytes, headers: Mapping[str, str] | None = None, secrets: Collection[str] = ()
) -> None:
    """Post to a URL; returns once it was taken (2xx).

    `DeliveryFailed`, named after the destination, for everything else: another attempt may help each time, when a
    service is back or a key was corrected. It is `Unavailable` where the service does not answer, or asks for patience
    (429). An answer that repeats a part of the URL or one of the `secrets` is not quoted.
    """
    import requests  # 0.1 s that only those pay who send by it

    sent = {"Content-Type": "application/json", "User-Agent": "iota"} | dict(headers or {})
    host = urlsplit(url).hostname
    try:
        with requests.post(
            url, body, headers=sent, timeout=(_CONNECT, _READ), allow_redirects=False, stream=True, auth=_basic
        ) as answer:
            if not 200 <= answer.status_code < 300:
                kind = Unavailable if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS else DeliveryFailed
                raise kind(f"{name}: {host} answers {answer.status_code}{_shown(answer, [*_parts(url), *secrets])}")
    except requests.Timeout:
        raise Unavailable(f"{name}: {host} does not answer within {_READ} s") from None
    except requests.exceptions.SSLError:
        raise Unavailable(f"{name}: {host} has a certificate that cannot be trusted") from None
    except (requests.RequestException, ValueError) as error:
        raise Unavailable(f"{name}: {host} cannot be reached ({type(error).__name__})") from None


def _parts(url: str) -> Iterator[str]:
    """Whatever of a URL may be a secret, as it is written and as a service reads it."""
    found = urlsplit(url)
    values = (value or name for name, _, value in (part.partition("=") for part in found.query.split("&")))
    user = (found.username or "", found.password or "", _credentials(url))
    for part in (*user, *found.path.split("/"), found.query, *values):
        yield from (part, unquote(part), unquote_plus(part))


def _shown(answer: Response, secrets: Iterable[str]) -> str:
    """What an answer says, as far as it has come; nothing where it repeats a part of the URL or another secret."""
    from urllib3.exceptions import HTTPError

    try:
        said = answer.raw.read1(_SHOWN * 4, decode_content=True).decode(errors="replace")
    except (HTTPError, OSError):
        return ""
    text = f"{answer.reason or ''}: {said}".removesuffix(": ").replace("\\", "")
    telling = {plain for secret in secrets if len(plain := secret.replace("\\", "")) >= _TELLING}
    if any(secret in spelt for secret in telling for spelt in (text, unquote(text))):
        return ""
    return f" {one_line(text)[:_SHOWN]}"


def _basic(request: PreparedRequest) -> PreparedRequest:
    """Sends the user and the password of the URL, and keeps requests from sending what ~/.netrc has for the host."""
    if known := _credentials(str(request.url)):
        request.headers["Authorization"] = f"Basic {known}"
    return request


def _credentials(url: str) -> str:
    """The user and the password of a URL, as HTTP Basic writes them; empty where it has none."""
    found = urlsplit(url)
    if found.username is None:
        return ""
    return base64.b64encode(f"{unquote(found.username)}:{unquote(found.password or '')}".encode()).decode()


def checked_url(url: str) -> str:
    """The URL, if it is one to post to: https, or http to this host (a proxy beside us). `ValueError` without it."""
    parts = urlsplit(url)
    here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not (parts.hostname and (here or parts.scheme == "https")):
        raise ValueError("expected a URL that starts with https://")
    return url
