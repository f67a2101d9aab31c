"""`iota demo` for a person: Dagster with its UI and sensors on, the last day's traffic, and then live traffic."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from iota_dagster.core.errors import IotaError
from iota_dagster.core.hours import hour_of
from iota_dagster.demo.processes import answers, start, stop
from iota_dagster.demo.stage import Stage, Tell, stage
from iota_dagster.demo.traffic import Live
from iota_dagster.demo.watch import View, Watch
from iota_dagster.home import prepare_home
from iota_dagster.platform import open_platform
from iota_dagster.settings import project_file

HOST, FIRST_PORT, PORTS = "127.0.0.1", 3000, 100
LOOK_SECONDS = 1.0
LIVE_SECONDS = 4.0
"""How often the live traffic puts objects."""
AT_ONCE = 30
"""So many objects of the last day are put with them, the newest first: an hour and a half."""
GRACE_SECONDS = 5
"""Dagster's sensors may be waiting for messages; what they and its runs leave half done goes with the home."""
_DAYS = 3
"""So far back the demo's partitions reach; more would only be an empty page in the UI."""

Show = Callable[[View], object]


def run_live(tell: Tell, show: Show, seconds: float | None = None) -> View:
    """Show the platform at work until Ctrl-C, or for some seconds; the last view.

    Nothing is left behind: Dagster and all that it started are ended, and the embedded AWS goes with the home.
    """
    started = datetime.now(UTC)
    with stage(tell, partitions_start=(started - timedelta(days=_DAYS)).date()) as here:
        tell("starting Dagster")
        platform = open_platform(here.settings)
        try:
            with (
                _dagster(here) as (process, ui),
                _traffic(here, ui) as traffic,
                Watch(platform, here, started, ui) as watch,
            ):
                return _loop(watch, show, lambda: _fail_if_ended(process, traffic, here), seconds)
        finally:
            platform.database.dispose()


def _loop(watch: Watch, show: Show, check: Callable[[], None], seconds: float | None) -> View:
    end = time.monotonic() + seconds if seconds is not None else None
    view = watch.look()
    with suppress(KeyboardInterrupt):  # the way a demo usually ends
        while end is None or time.monotonic() < end:
            check()
            show(view)
            time.sleep(LOOK_SECONDS)
            view = watch.look()
    return view


def _fail_if_ended(process: subprocess.Popen[bytes], traffic: Future[None], here: Stage) -> None:
    if process.poll() is not None:
        log = here.folder / "dagster.log"
        last = log.read_text(errors="replace").strip().splitlines()[-5:]
        raise IotaError("\n".join([f"Dagster has ended with code {process.returncode}; it said last:", *last]))
    if traffic.done():
        traffic.result()


@contextmanager
def _traffic(here: Stage, ui: str) -> Iterator[Future[None]]:
    """The traffic in a thread: the last hours at once; once Dagster is there, live, and the rest of the day bit by bit.

    All at once, the day would keep a small machine from starting Dagster meanwhile.
    """
    stopped, uploads, files = threading.Event(), here.uploads, here.generated.files

    def run() -> None:
        uploads.put_all(files[:AT_ONCE])
        while not answers(ui):
            if stopped.wait(LOOK_SECONDS):
                return
        live = Live(hour_of(datetime.now(UTC)), uploads.go_live())
        for ticks in itertools.count(1):
            if stopped.wait(LIVE_SECONDS):
                return
            for file in live.tick(datetime.now(UTC)):
                uploads.put(file)
            uploads.put_all(files[ticks * AT_ONCE : (ticks + 1) * AT_ONCE])

    with ThreadPoolExecutor(1, "traffic") as pool:
        future = pool.submit(run)
        try:
            yield future
        finally:
            stopped.set()


@contextmanager
def _dagster(here: Stage) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`dagster dev` on the demo's home: the process and the UI's address."""
    port, home = str(_free_port()), prepare_home(here.settings)
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-w",
        str(project_file("workspace.yaml")),
        "-h",
        HOST,
        "-p",
        port,
    ]
    log = here.folder / "dagster.log"
    process = start(["env", f"DAGSTER_HOME={home}", *command], log, grace=GRACE_SECONDS)
    try:
        yield process, f"http://{HOST}:{port}"
    finally:
        stop(process)


def _free_port() -> int:
    for port in range(FIRST_PORT, FIRST_PORT + PORTS):
        with socket.socket() as trial, suppress(OSError):
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((HOST, port))
            return port
    raise IotaError(f"no port is free for Dagster's UI between {FIRST_PORT} and {FIRST_PORT + PORTS - 1}")
