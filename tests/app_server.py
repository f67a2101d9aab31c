"""A web server that really listens, with an app of the test's, and what it answers."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The address of a server with this app."""
    config = uvicorn.Config(app, port=0, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def get(url: str, **headers: str) -> tuple[int, str, str]:
    """Status, content type and text."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.status, answer.headers["content-type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["content-type"], error.read().decode()


def ready(url: str) -> tuple[int, dict[str, str]]:
    """The status, and each check's."""
    status, _, text = get(f"{url}/ready")
    body: dict[str, Any] = json.loads(text)
    assert body["ready"] == (status == 200)
    return status, {check["check"]: check["status"] for check in body["checks"]}
