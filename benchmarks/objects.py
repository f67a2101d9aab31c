"""How fast many tiny objects come from S3: `Spool.fetch` over one batch of them, through an assumed role.

python -m benchmarks.objects [--objects N] [--bytes N] [--workers N] [--rounds N] [--direct]

A moto server in a process of its own is S3. Its own limit is measured too: the same GETs by a client that does nothing
but send bytes. `--direct` reads with our own credentials instead of a role's. What is read lies below TMPDIR.
"""

from __future__ import annotations

import argparse
import http.client
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from iota_dagster.core.aws.accounts import Account, Accounts
from iota_dagster.core.aws.clients import ClientFactory, ClientOptions, Role
from iota_dagster.core.batch.fetching import Spool
from iota_dagster.core.garbage import collect_rarely
from iota_dagster.core.hours import parse_hour_key
from iota_dagster.core.model import Batch, BatchStatus, LogObject, ObjectStatus
from iota_dagster.core.objects import Objects
from iota_dagster.core.store.claims import Assignment
from iota_dagster.core.store.database import Database
from iota_dagster.demo.embedded_aws import MANAGEMENT, embedded_aws

BUCKET = "bench-objects"
ROLE = Role(f"arn:aws:iam::{MANAGEMENT}:role/reader", "bench")
HOUR = parse_hour_key("2026-11-22-10:00")


def main() -> None:
    """Put the objects, fetch them, print objects a second."""
    arguments = _arguments()
    collect_rarely()  # as iota's own processes do
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with (
        tempfile.TemporaryDirectory(prefix="iota-bench-") as folder,
        embedded_aws(Path(folder) / "moto.log") as endpoint,
    ):
        (server,) = psutil.Process().children()
        own = ClientFactory(ClientOptions(endpoint_url=endpoint, region="us-east-1"))
        items = _put(own, arguments.objects, arguments.bytes)
        accounts = Accounts({"bench": Account(None if arguments.direct else ROLE, "us-east-1")}, own)
        spool = _spool(Path(folder), accounts, arguments.workers)
        for number in range(1, arguments.rounds + 1):
            _report("server alone", server, len(items), lambda: _bare_gets(endpoint, items, arguments.workers))
            batch = Batch(f"round-{number}", HOUR, BatchStatus.OPEN, 1, 1, datetime.now(UTC), None, objects=items)
            _report("Spool.fetch", server, len(items), partial(_fetch, spool, batch))
        for who, counts in accounts.requests().items():
            print(f"{who}: {counts.total()}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=2000, help="objects in the batch")
    parser.add_argument("--bytes", type=int, default=1024, help="bytes of each")
    parser.add_argument("--workers", type=int, default=5, help="threads that download (download_workers)")
    parser.add_argument("--rounds", type=int, default=3, help="how often to measure")
    parser.add_argument("--direct", action="store_true", help="without a role")
    return parser.parse_args()


def _put(own: ClientFactory, count: int, size: int) -> tuple[LogObject, ...]:
    s3 = own.s3()
    s3.create_bucket(Bucket=BUCKET)

    def put(number: int) -> LogObject:
        key = f"AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/22/{number:06}.json.gz"
        etag = s3.put_object(Bucket=BUCKET, Key=key, Body=os.urandom(size))["ETag"].strip('"')
        return LogObject(number, BUCKET, key, etag, size, "bench", None, None, HOUR, ObjectStatus.PENDING, "log")

    with ThreadPoolExecutor(4) as pool:
        return tuple(pool.map(put, range(1, count + 1)))


def _spool(folder: Path, accounts: Accounts, workers: int) -> Spool:
    database = Database(f"sqlite:///{folder}/iota.db")
    database.migrate()
    objects = Objects(lambda bucket, key: "bench", accounts, 1 << 30)
    return Spool(database, objects, folder, workers, lambda: datetime.now(UTC))


def _fetch(spool: Spool, batch: Batch) -> None:
    fetched = spool.fetch(Assignment(batch, redo=False))
    assert len(fetched.spooled) == len(batch.objects)
    spool.forget(batch)


def _bare_gets(endpoint: str, items: Sequence[LogObject], workers: int) -> None:
    host = urlsplit(endpoint).netloc

    def get(share: Sequence[LogObject]) -> None:
        connection = http.client.HTTPConnection(host)
        headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=testing/20261122/us-east-1/s3/aws4_request"}
        for item in share:
            connection.request("GET", f"/{item.bucket}/{item.key}", headers=headers)
            answer = connection.getresponse()
            assert answer.status == 200
            answer.read()
        connection.close()

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(get, [items[start::workers] for start in range(workers)]))


def _report(name: str, server: psutil.Process, count: int, work: Callable[[], None]) -> None:
    wall, ours, theirs = time.perf_counter(), time.process_time(), _cpu(server)
    work()
    wall, ours, theirs = time.perf_counter() - wall, time.process_time() - ours, _cpu(server) - theirs
    print(
        f"{name:<12} {count / wall:7,.0f} objects/s; CPU an object: {ours / count * 1e6:,.0f} µs here, "
        f"{theirs / count * 1e6:,.0f} µs in the server; load {os.getloadavg()[0]:.1f}"
    )


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    main()
