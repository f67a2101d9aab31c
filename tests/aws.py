"""AWS for tests: one moto server on loopback per test process, asked by unmodified boto3 and pyarrow clients."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from iota_dagster.core.aws.clients import ClientFactory, ClientOptions
from iota_dagster.demo.aws_server import answer_faster

if TYPE_CHECKING:
    import boto3

REGION = "us-east-1"
ACCOUNT = "123456789012"
"""The account in which moto puts whatever is made with credentials that are no role's."""
OWN_KEY = "testing"

_SIGNED = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/")
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it reached the server: by whom (the access key), of which service (`s3`), and what.

    `action` is the operation's name where the protocol has one in a form or a header (STS, SQS, Glue; not S3), and
    `parameters` are what that form or the JSON beside that header says.
    """

    access_key: str
    service: str
    action: str
    method: str
    path: str
    query: str
    headers: dict[str, str] = field(repr=False)
    parameters: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says instead of what it would say."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Wire:
    """Between the clients and the server: what was asked, and answers in the server's place.

    `asked` fills while `recording()`; `disturbed_by(answer)` asks `answer(request)` first, None lets a request pass.
    """

    def __init__(self, server: Callable[..., Any]) -> None:
        self.asked: list[Asked] | None = None
        self.disturb: Callable[[Asked], Answer | None] | None = None
        self._server = server

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if self.asked is None and self.disturb is None:
            return self._server(environ, start_response)
        asked = _asked(environ)
        if self.asked is not None:
            self.asked.append(asked)
        answer = self.disturb(asked) if self.disturb else None
        if answer is None:
            return self._server(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(f"{answer.status} Test", [("Content-Length", str(len(answer.body))), *answer.headers])
        return [answer.body]


def _asked(environ: dict[str, Any]) -> Asked:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name[:5] == "HTTP_"}
    signed = _SIGNED.search(headers.get("authorization", ""))
    key, service = signed.groups() if signed else ("", "")
    action, parameters = headers.get("x-amz-target", "").rpartition(".")[2], {}
    if action:
        parameters = json.loads(_body(environ))
    elif environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        parameters = {name: values[0] for name, values in parse_qs(_body(environ).decode()).items()}
        action = parameters["Action"]
    method, path, query = environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"]
    return Asked(key, service, action, method, path, query, headers, parameters)


def _body(environ: dict[str, Any]) -> bytes:
    """The request's body, which the server can read afterwards as well."""
    body: bytes = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


@dataclass(frozen=True, slots=True)
class Aws:
    """The server's address, and clients with credentials of their own: no environment variable is needed."""

    endpoint: str
    clients: ClientFactory
    wire: Wire = field(repr=False)

    def name(self, prefix: str = "test") -> str:
        """A name that no other test has: valid for buckets, queues, roles and (with `-` as `_`) databases."""
        return f"{prefix}-{os.getpid()}-{next(_numbers)}"

    def bucket(self, prefix: str = "test") -> str:
        """The name of a new, empty bucket."""
        name = self.name(prefix)
        self.clients.s3().create_bucket(Bucket=name)
        return name

    @contextmanager
    def recording(self) -> Iterator[list[Asked]]:
        """All requests that reach the server meanwhile, pyarrow's too."""
        asked: list[Asked] = []
        self.wire.asked = asked
        try:
            yield asked
        finally:
            self.wire.asked = None

    @contextmanager
    def disturbed_by(self, answer: Callable[[Asked], Answer | None]) -> Iterator[None]:
        """Let `answer` take the server's place for the requests that it gives an answer to."""
        self.wire.disturb = answer
        try:
            yield
        finally:
            self.wire.disturb = None


def s3_error(status: int, code: str, message: str = "words") -> Answer:
    """An error as S3 words it."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, body.encode(), (("Content-Type", "application/xml"),))


def sts_error(status: int, code: str) -> Answer:
    """An error as STS words it."""
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>words</Message></Error></ErrorResponse>"
    return Answer(status, body.encode(), (("Content-Type", "text/xml"),))


def own_session() -> boto3.session.Session:
    """A session with fixed keys, whatever the environment says."""
    import boto3

    return boto3.session.Session(OWN_KEY, "testing", region_name=REGION)


@contextmanager
def serve() -> Iterator[Aws]:
    """A moto server that ends with the block."""
    from moto.server import ThreadedMotoServer  # a second, which only tests of AWS pay

    answer_faster()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    assert server._server is not None
    server._server.app = wire = Wire(server._server.app)
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    yield Aws(endpoint, ClientFactory(ClientOptions(endpoint_url=endpoint), own_session), wire)
    server.stop()
