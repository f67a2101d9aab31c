"""A web service on loopback that takes what is posted to it, and answers as a test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Posted:
    """A request as it came: its path, its headers by their lower-case names, its body."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class WebService:
    """What came so far, and how the next requests are answered."""

    url: str
    status: int = 200
    answer: bytes = b"ok"
    promised: int | None = None
    """Bytes of the answer that are announced; none: those that it has."""
    headers: dict[str, str] = field(default_factory=dict)
    posted: list[Posted] = field(default_factory=list)


@contextmanager
def web_service() -> Iterator[WebService]:
    """A service that is up while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            service.posted.append(Posted(self.path, headers, body))
            self.send_response(service.status)
            for name, value in service.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(service.promised or len(service.answer)))
            self.end_headers()
            self.wfile.write(service.answer)
            if service.promised:
                self.wfile.flush()
                over.wait()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    over = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service = WebService(f"http://127.0.0.1:{server.server_port}/services/T000/secret-path")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
