"""The one place where boto3 clients are made: time-outs, retries, endpoint and pool size are the same for all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import boto3
    import pyarrow.fs
    from botocore.credentials import RefreshableCredentials
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient


RUNS_ASK = ("glue", "s3", "secretsmanager", "sts")
"""The services that runs ask; the queue is the sensors'."""
USER_AGENT = "iota"
"""What CloudTrail shows of our own calls. Putting botocore's own text together takes a tenth of a GET's CPU time."""


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """How clients talk to AWS. `endpoint_url` replaces all service endpoints (tests, S3-compatible stores)."""

    endpoint_url: str | None = None
    region: str | None = None
    connect_seconds: float = 5
    read_seconds: float = 60  # more than the longest poll of a queue, 20 s
    attempts: int = 5  # of one call, the first included; botocore backs off between them
    connections: int = 32
    adaptive: bool = False  # after an answer that throttles, send fewer requests at all, not only that one later


@dataclass(frozen=True, slots=True)
class Role:
    """A role to assume: whose, with which external id (a secret, or what gets it), under which session name."""

    arn: str
    session_name: str
    external_id: str | Callable[[], str] | None = field(default=None, repr=False)


def role_credentials(role: Role, own: ClientFactory) -> RefreshableCredentials:
    """A role's credentials, which renew themselves before they expire; safe to share by sessions and threads.

    STS is asked, with `own` credentials, at the first call and never before; so is a callable external id, each time.
    Where either fails, the call that needed the credentials fails.
    """
    from botocore.credentials import DeferredRefreshableCredentials

    def assumed() -> dict[str, str]:
        external_id = role.external_id() if callable(role.external_id) else role.external_id
        extra: Any = {"ExternalId": external_id} if external_id else {}
        answer = own.sts().assume_role(RoleArn=role.arn, RoleSessionName=role.session_name, **extra)["Credentials"]
        return {
            "access_key": answer["AccessKeyId"],
            "secret_key": answer["SecretAccessKey"],
            "token": answer["SessionToken"],
            "expiry_time": answer["Expiration"].isoformat(),
        }

    return DeferredRefreshableCredentials(assumed, "assume-role")


def session_with(credentials: RefreshableCredentials | None) -> boto3.session.Session:
    """A session with these credentials and no others; with those of boto3's own chain for None.

    All sessions share what botocore knows of the services: read anew it would cost each role 0.2 s and 12 MB.
    """
    import boto3  # 0.15 s that purely local installations never pay
    import botocore.session

    session: Any = botocore.session.get_session()
    session.register_component("data_loader", _service_models())
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_timestamp)
    if credentials is not None:
        session._credentials = credentials
    return boto3.session.Session(botocore_session=session)


@lru_cache(maxsize=1)
def _service_models() -> Any:
    import botocore.session

    return botocore.session.get_session().get_component("data_loader")


def _timestamp(value: Any) -> datetime:
    """A time in an answer, as botocore reads it, in a tenth of the time: a listing's page has a thousand."""
    from botocore.utils import parse_timestamp

    try:
        if value.endswith("Z"):
            return datetime.fromisoformat(value)
        if value.endswith(" GMT"):
            return parsedate_to_datetime(value)
    except (AttributeError, ValueError):  # a number, or another spelling
        pass
    return parse_timestamp(value)


class ClientFactory:
    """Makes clients when first asked, one per service, for one set of credentials; safe to share by threads.

    `session` gives the credentials (a role's refreshing ones, for instance); by default boto3's own chain does.
    `watch` is shown every new client (to count its requests, for instance).
    Nothing is imported, read or connected before the first client is asked for.
    """

    def __init__(
        self,
        options: ClientOptions | None = None,
        session: Callable[[], boto3.session.Session] | None = None,
        watch: Callable[[Any], object] | None = None,
    ) -> None:
        """Keep the options; `session` is called once, when the first client is asked for."""
        self.options = options or ClientOptions()
        self._make_session = session
        self._watch = watch
        self._session: boto3.session.Session | None = None
        self._clients: dict[str, Any] = {}
        self._lock = threading.RLock()

    def sibling(self, options: ClientOptions, watch: Callable[[Any], object] | None = None) -> ClientFactory:
        """Another factory with these credentials."""
        return ClientFactory(options, self._make_session, watch)

    def s3(self) -> S3Client:
        """The S3 client."""
        return cast("S3Client", self.client("s3"))

    def sqs(self) -> SQSClient:
        """The SQS client."""
        return cast("SQSClient", self.client("sqs"))

    def sts(self) -> STSClient:
        """The STS client."""
        return cast("STSClient", self.client("sts"))

    def glue(self) -> GlueClient:
        """The Glue client."""
        return cast("GlueClient", self.client("glue"))

    def arrow_s3(self) -> pyarrow.fs.S3FileSystem:
        """A pyarrow file system with the credentials of this moment: ask again for each longer piece of work.

        pyarrow has its own S3 client, which knows neither boto3's credential chain nor `AWS_ENDPOINT_URL`.
        """
        from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

        options, keys = self.options, self._keys()
        if options.endpoint_url:
            endpoint = urlsplit(options.endpoint_url)
            keys |= {"endpoint_override": endpoint.netloc, "scheme": endpoint.scheme}
        return S3FileSystem(
            region=self.s3().meta.region_name,
            connect_timeout=options.connect_seconds,
            request_timeout=options.read_seconds,
            retry_strategy=AwsStandardS3RetryStrategy(max_attempts=options.attempts),
            **keys,
        )

    def _keys(self) -> dict[str, Any]:
        credentials = self._open_session().get_credentials()
        if credentials is None:
            return {}
        frozen = credentials.get_frozen_credentials()
        return {"access_key": frozen.access_key, "secret_key": frozen.secret_key, "session_token": frozen.token}

    def client(self, service: str) -> Any:
        """The client of a service, made once; of those that iota needs all the time there are typed ones above."""
        with self._lock:  # making a client is not thread-safe in boto3; using one is
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def _make(self, service: str) -> Any:
        from botocore.config import Config

        options = self.options
        config = Config(
            connect_timeout=options.connect_seconds,
            read_timeout=options.read_seconds,
            retries={
                "mode": "adaptive" if options.adaptive else "standard",
                "total_max_attempts": options.attempts,
            },
            max_pool_connections=options.connections,
            tcp_keepalive=True,
            user_agent=USER_AGENT,
            # A custom endpoint seldom has a DNS name per bucket.
            s3={"addressing_style": "path" if options.endpoint_url else "auto"},
        )
        session: Any = self._open_session()
        region = options.region or session.region_name or "us-east-1"
        client = session.client(service, config=config, endpoint_url=options.endpoint_url, region_name=region)
        if self._watch is not None:
            self._watch(client)
        return client

    def _open_session(self) -> boto3.session.Session:
        with self._lock:
            if self._session is None:
                self._session = self._make_session() if self._make_session else session_with(None)
            return self._session


def import_sdk() -> None:
    """Import and read what the first clients need: for a process that many others are forked from.

    What botocore knows of the services would take each of those 0.2 s to read. Nobody is asked for anything, and the
    clients, whose keys are none, are thrown away. A configuration that boto3 refuses is for a run to complain about.
    """
    from botocore.exceptions import BotoCoreError

    with suppress(BotoCoreError):
        session: Any = session_with(None)
        for service in RUNS_ASK:
            session.client(service, region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")
