"""The one place where boto3 clients are made: time-outs, retries, endpoint and pool size are the same for all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import boto3
    import pyarrow.fs
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """How clients talk to AWS. `endpoint_url` replaces all service endpoints (tests, S3-compatible stores)."""

    endpoint_url: str | None = None
    region: str | None = None
    connect_seconds: float = 5
    read_seconds: float = 60  # more than the longest poll of a queue, 20 s
    attempts: int = 5  # of one call, the first included; botocore's standard mode backs off between them
    connections: int = 32


@dataclass(frozen=True, slots=True)
class Role:
    """A role to assume: whose, with which external id (a secret), under which session name."""

    arn: str
    session_name: str
    external_id: str | None = field(default=None, repr=False)


def assume(role: Role, options: ClientOptions) -> boto3.session.Session:
    """A session with a role's credentials, which renew themselves before they expire.

    STS is asked at the first call and never before. Where it refuses, that call fails: our own credentials are only
    ever used to ask STS.
    """
    import boto3
    import botocore.session
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    own = botocore.session.get_session()

    def sts(service: str, **arguments: Any) -> Any:
        arguments.setdefault("region_name", options.region or own.get_config_variable("region") or "us-east-1")
        return own.create_client(service, endpoint_url=options.endpoint_url, **arguments)

    extra = {"RoleSessionName": role.session_name} | ({"ExternalId": role.external_id} if role.external_id else {})
    fetcher = AssumeRoleCredentialFetcher(sts, own.get_credentials(), role.arn, extra_args=extra)
    assumed: Any = botocore.session.get_session()
    assumed._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    return boto3.session.Session(botocore_session=assumed)


class ClientFactory:
    """Makes clients when first asked, one per service, for one set of credentials; safe to share by threads.

    `session` gives the credentials (a role's refreshing ones, for instance); by default boto3's own chain does.
    Nothing is imported, read or connected before the first client is asked for.
    """

    def __init__(
        self, options: ClientOptions | None = None, session: Callable[[], boto3.session.Session] | None = None
    ) -> None:
        """Keep the options; `session` is called once, when the first client is asked for."""
        self.options = options or ClientOptions()
        self._make_session = session
        self._session: boto3.session.Session | None = None
        self._clients: dict[str, Any] = {}
        self._lock = threading.RLock()

    def s3(self) -> S3Client:
        """The S3 client."""
        return cast("S3Client", self._client("s3"))

    def sqs(self) -> SQSClient:
        """The SQS client."""
        return cast("SQSClient", self._client("sqs"))

    def sts(self) -> STSClient:
        """The STS client."""
        return cast("STSClient", self._client("sts"))

    def glue(self) -> GlueClient:
        """The Glue client."""
        return cast("GlueClient", self._client("glue"))

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

    def _client(self, service: str) -> Any:
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
            retries={"mode": "standard", "total_max_attempts": options.attempts},
            max_pool_connections=options.connections,
            tcp_keepalive=True,
            # A custom endpoint seldom has a DNS name per bucket.
            s3={"addressing_style": "path" if options.endpoint_url else "auto"},
        )
        session: Any = self._open_session()
        return session.client(
            service, config=config, endpoint_url=options.endpoint_url, region_name=self._region(session)
        )

    def _region(self, session: Any) -> str:
        return self.options.region or session.region_name or "us-east-1"

    def _open_session(self) -> boto3.session.Session:
        with self._lock:
            if self._session is None:
                import boto3  # 0.15 s that purely local installations never pay

                self._session = self._make_session() if self._make_session else boto3.session.Session()
            return self._session
