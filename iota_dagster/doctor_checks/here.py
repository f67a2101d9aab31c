"""This host: versions, folders, disk space."""

from __future__ import annotations

import os
import platform
import shutil
import uuid
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from iota_dagster.core.storage import Storage, open_storage
from iota_dagster.doctor_checks.aws_errors import what_to_do
from iota_dagster.doctor_checks.finding import Check, Finding, failed, ok, skipped, warning
from iota_dagster.doctor_checks.site import Site

_GIB = 2**30
_ROOMY = 5
"""Runs that one host does at once, as dagster.yaml sets it."""


def checks(site: Site) -> list[Check]:
    """Versions, home, each storage, scratch, and the local folders that are read."""
    settings = site.settings
    folders = [item for item in settings.integrations if item.path]
    urls = {
        "lake": settings.lake_url,
        "work": settings.work_url,
        "state": settings.state_url,
        "spool": settings.spool_url,
    }
    home, scratch = settings.home, settings.scratch
    return [
        Check("versions", _versions),
        Check("home", partial(_home, home), lambda error: _let_us_write(home)),
        *[Check(name, partial(_storage, site, url), partial(_about_storage, url)) for name, url in urls.items()],
        Check("scratch", partial(_disk, scratch, settings.batch_bytes), lambda error: _let_us_write(scratch)),
        *[Check(f"integration {item.name}", partial(_folder, item.path)) for item in folders],
    ]


def _versions() -> Iterator[Finding]:
    wanted = [Requirement(text) for text in metadata.requires("iota-dagster") or ()]
    wrong = []
    for item in wanted:
        if item.marker is None or item.marker.evaluate({"extra": ""}):
            present = _version(item.name)
            if present is None or not item.specifier.contains(present, prereleases=True):
                wrong.append(f"{item.name} is {present or 'missing'}, not {item.specifier}")
    shown = f"iota {_version('iota-dagster')}, Python {platform.python_version()}, dagster {_version('dagster')}"
    if wrong:
        yield warning(f"{shown}; {', '.join(wrong)}", "install by requirements.lock")
    else:
        yield ok(shown)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _home(home: Path) -> Iterator[Finding]:
    home.mkdir(parents=True, exist_ok=True)
    probe = home / f".doctor-{uuid.uuid4().hex[:8]}"
    try:
        probe.write_bytes(b"iota")
    finally:
        probe.unlink(missing_ok=True)
    yield ok(f"{home} can be written")


def _let_us_write(folder: Path) -> str:
    return f"make {folder} a folder that the user {os.geteuid()} may write"


def _storage(site: Site, url: str) -> Iterator[Finding]:
    """Write, list, read by both clients (boto3, and pyarrow, which queries use) and delete a file of our own."""
    storage = open_storage(url, site.own)
    path, content = f"_doctor/{uuid.uuid4().hex}", uuid.uuid4().bytes
    storage.write(path, content)
    try:
        wrong = _differs(storage, path, content)
    finally:
        storage.delete(path)
    if wrong:
        yield failed(f"{storage.url}: {wrong}", "use a storage that shows at once what was written to it")
    else:
        yield ok(f"{storage.url} can be written and read")


def _about_storage(url: str, error: Exception) -> str:
    return what_to_do(error) if url.startswith("s3://") else _let_us_write(Path(url.removeprefix("file://")))


def _differs(storage: Storage, path: str, content: bytes) -> str:
    if storage.read(path) != content:
        return "what was written reads differently"
    if [item.path for item in storage.list(path)] != [path]:
        return "what was written is not listed"
    files, root = storage.arrow()
    if files.get_file_info(f"{root}/{path}").size != len(content):
        return "what was written is not there for pyarrow"
    return ""


def _disk(scratch: Path, batch: int) -> Iterator[Finding]:
    scratch.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(scratch).free
    shown = f"{free / _GIB:,.1f} GiB free in {scratch}"
    advice = f"make room, or set scratch to a larger disk: each run takes up to {batch / _GIB:,.2f} GiB (batch_bytes)"
    if free < batch:
        yield failed(shown, advice)
    elif free < _ROOMY * batch:
        yield warning(shown, advice)
    else:
        yield ok(shown)


def _folder(path: Path | None) -> Iterator[Finding]:
    assert path
    if not path.is_dir():
        yield failed(f"there is no folder {path}", "mount it or correct the integration's path")
    elif not os.access(path, os.R_OK | os.X_OK):
        yield failed(f"{path} may not be read", f"let the user {os.geteuid()} read it")
    else:
        yield ok(f"{path} can be read")


def no_integrations() -> Iterator[Finding]:
    """In place of the integrations' checks."""
    yield skipped("no integration is configured: only `iota ingest` reads anything")
