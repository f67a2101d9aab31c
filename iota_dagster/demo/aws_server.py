"""The embedded AWS: a moto server on loopback, in a process of its own that ends with whoever started it.

`python -m iota_dagster.demo.aws_server [PARENT]` prints its port.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import time
from functools import lru_cache


def serve(parent: int) -> None:
    """Serve until a signal comes; the end of `parent` is one."""
    from iota_dagster.core.garbage import collect_rarely
    from iota_dagster.demo.processes import end_with_parent

    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the demo, which then ends this process
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    from moto.server import ThreadedMotoServer

    answer_faster()
    gc.freeze()
    collect_rarely()
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)
    signal.pause()


def answer_faster() -> None:
    """Have moto's servers in this process answer as before, in half the time, and full queues at all."""
    _look_up_services_once()
    _look_at_the_clock_faster()


def _look_up_services_once() -> None:
    """To find the service that is meant, moto lists its own folders and tries every service's pattern each time."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    look_up = DomainDispatcherApplication.get_backend_for_host
    DomainDispatcherApplication.get_backend_for_host = lru_cache(maxsize=1000)(look_up)  # type: ignore[method-assign]


def _look_at_the_clock_faster() -> None:
    """Each message that comes or goes has moto count all those in the queue, and ask the time for every one of them.

    With a thousand messages that takes minutes; a clock that costs a tenth makes it seconds.
    """
    from moto.sqs import models

    def now() -> float:
        return time.time() * 1000

    models.unix_time_millis = now  # type: ignore[attr-defined,assignment]


if __name__ == "__main__":
    serve(int(sys.argv[1]) if len(sys.argv) > 1 else os.getppid())
