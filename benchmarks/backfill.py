"""A backfill's speed: `iota backfill --only-new` over a week of CloudTrail in a bucket, start-up and scan included.

The bucket is moto's, in a process of its own: what it costs to answer is measured with the rest, on the same cores.

python -m benchmarks.backfill [--events N] [--hours N]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.cloudtrail import Benchmark, benchmark_objects
from benchmarks.measure import measure
from iota_dagster.core.aws.clients import ClientFactory, ClientOptions
from iota_dagster.demo.embedded_aws import embedded_aws

IOTA = str(Path(sys.executable).with_name("iota"))
BUCKET = "iota-benchmark"
OBJECTS_PER_HOUR = 12
"""One every five minutes, as CloudTrail delivers them for each account and region."""


def main() -> None:
    """Fill a bucket, backfill it into an empty home and print the figures."""
    arguments = _arguments()
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=arguments.hours)
    with (
        tempfile.TemporaryDirectory(prefix="iota-bench-") as folder,
        embedded_aws(Path(folder) / "moto.log") as endpoint,
    ):
        written = _fill(Path(folder) / "logs", endpoint, arguments.events, arguments.hours, start)
        _report(written, arguments.hours, _backfill(Path(folder), endpoint, start))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000, help="records to generate")
    parser.add_argument("--hours", type=int, default=168, help="delivery hours they are spread over")
    return parser.parse_args()


def _fill(logs: Path, endpoint: str, events: int, hours: int, start: datetime) -> Benchmark:
    per_object = max(events // (hours * OBJECTS_PER_HOUR), 1)
    written = benchmark_objects(logs, events, per_object, hours=hours, start=start)
    s3 = ClientFactory(ClientOptions(endpoint_url=endpoint, region="us-east-1")).s3()
    s3.create_bucket(Bucket=BUCKET)

    def upload(path: Path) -> None:
        s3.put_object(Bucket=BUCKET, Key=str(path.relative_to(logs)), Body=path.read_bytes())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upload, logs.rglob("*.gz")))
    return written


def _backfill(folder: Path, endpoint: str, start: datetime) -> dict[str, float]:
    config = folder / "iota.yaml"
    settings = {
        "home": "home",
        "endpoint_url": endpoint,
        "rules": [str(Path("rules").absolute())],
        "integrations": [{"name": "trail", "bucket": BUCKET, "prefix": "AWSLogs/"}],
    }
    config.write_text(json.dumps(settings), encoding="utf-8")  # which is YAML as well
    command = [IOTA, "--config", str(config), "backfill", "--only-new", "--from", f"{start:%Y-%m-%dT%H}", "--json"]
    run = measure(command, os.environ)
    return run.output | {"wall": run.wall, "peak_pss": run.peak_pss}


def _report(written: Benchmark, hours: int, run: dict[str, float]) -> None:
    print(f"{hours} hours, {written.objects:,} objects, {written.records:,} records of {written.bytes / 1e6:,.0f} MB")
    print(f"backfill: {run['wall']:.1f} s = {run['records'] / run['wall']:,.0f} events/s, ", end="")
    print(f"peak PSS over the process tree {run['peak_pss'] / 1e6:,.0f} MB")
    print("  " + ", ".join(f"{key} {value}" for key, value in run.items() if key not in ("wall", "peak_pss")))
    if (run["records"], run["events"]) != (written.records, written.events):
        sys.exit(f"expected {written.records:,} records and {written.events:,} events")


if __name__ == "__main__":
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "testing")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "testing")
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}")
