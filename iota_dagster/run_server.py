"""A process that has imported all that runs need, and forks one for each.

It is Python's own fork server, started with the first run and ended with the daemon; runs outlive both. What a run
reads anew each time (settings, rules) may change at any time; a new version of iota needs the daemon to be restarted.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from functools import lru_cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext

_START = threading.Lock()


def start(run_id: str, instance_ref: str) -> int:
    """Start a process that executes a run; its pid. `instance_ref` is Dagster's own serialised reference."""
    with _START:  # the fork server is made once
        receiver, sender = _context().Pipe(duplex=False)
        process = _context().Process(target=_detach, args=(run_id, instance_ref, sender), name=f"run {run_id}")
        process.start()
    sender.close()
    process.join()  # it only forks
    try:
        return int(receiver.recv())
    except EOFError:
        raise RuntimeError(f"the process of run {run_id} could not be started; the daemon's log says why") from None


@lru_cache(maxsize=1)
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["iota_dagster.run_worker"])
    return context


def _detach(run_id: str, instance_ref: str, sender: Connection) -> None:
    """Fork once more: nobody waits for the run, and it outlives whoever started it."""
    pid = os.fork()
    if pid:
        sender.send(pid)
        return
    sender.close()
    from iota_dagster.run_worker import execute

    sys.exit(execute(run_id, instance_ref))  # multiprocessing cleans up behind it
