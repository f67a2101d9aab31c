"""A throw-away PostgreSQL server for the tests of one session.

The workers of a session share it: the first one that needs it starts it, under a lock. It listens on a socket in its
own folder only. A small supervisor process (this file run as a script) ends it with the session, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

# Nothing in it is worth a disk write; the tests' own crashes never crash the server.
OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "synchronous_commit": "off",
}
START_SECONDS = 60


def binaries() -> Path | None:
    """The folder of the newest PostgreSQL server on this machine: from PATH, else where Debian puts it."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name.zfill(4))[::-1]
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def session_server(shared: Path, owner: int, folder: Path) -> str:
    """The URL of the session's server, without a database name; started by the first caller.

    `shared` is a folder of the session, `owner` the process whose end ends the server, `folder` the server's programs.
    """
    note = shared / "postgres.url"
    with _locked(shared / "postgres.lock"):
        if not note.exists():
            note.write_text(_start(owner, folder))
        return note.read_text()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start(owner: int, folder: Path) -> str:
    user = _unprivileged()
    home = Path(tempfile.mkdtemp(prefix="iota-pg-"))  # short: a socket's path has at most 107 characters
    if user:
        os.chown(home, user.pw_uid, user.pw_gid)
    data = home / "data"
    initdb: list[str | Path] = [folder / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    initdb += ["--locale=C", "--no-sync"]
    try:
        subprocess.run(initdb, check=True, capture_output=True, text=True, cwd=home, **_as(user))
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"initdb failed: {error.stderr}") from error
    log = home / "log"
    command = [sys.executable, __file__, str(owner), str(home), str(folder / "postgres")]
    with log.open("wb") as output:
        subprocess.run(
            command, check=True, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
        )
    _wait_until_ready(home, log)
    return f"postgresql://postgres@/{{database}}?host={home}"


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom to run the server as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _as(user: pwd.struct_passwd | None) -> dict[str, Any]:
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def _wait_until_ready(home: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(f"postgresql://postgres@/postgres?host={home}", connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {error}\n{log.read_text()}") from error
            time.sleep(0.05)
        else:
            return


def _supervise(owner: int, home: Path, postgres: str) -> None:
    """Run the server until the owner is gone, then remove everything."""
    settings = [f"-c{name}={value}" for name, value in OPTIONS.items()]
    command = [postgres, "-D", str(home / "data"), "-k", str(home), *settings]
    with subprocess.Popen(command, cwd=home, **_as(_unprivileged())) as server:
        signal.signal(signal.SIGTERM, lambda _signal, _frame: server.send_signal(signal.SIGQUIT))
        while _alive(owner) and server.poll() is None:
            time.sleep(0.2)
        server.send_signal(signal.SIGQUIT)  # at once, without a checkpoint
    shutil.rmtree(home, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    if os.fork():  # nobody's child: it may outlive the test process that started it
        os._exit(0)
    _supervise(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
