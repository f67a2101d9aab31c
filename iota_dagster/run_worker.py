"""Executing one run in this process. Importing this module imports all that a run needs: see `run_server`."""

from __future__ import annotations

import gc
import signal
import traceback

from dagster import DagsterInstance
from dagster._cli.api import _execute_run_command_body
from dagster._core.instance.ref import InstanceRef
from dagster._serdes import deserialize_value
from dagster._utils.interrupts import capture_interrupts, setup_interrupt_handlers

from iota_dagster.core.aws.clients import import_sdk
from iota_dagster.core.garbage import collect_rarely
from iota_dagster.definitions import defs
from iota_dagster.process_workers import close_workers

import_sdk()
defs.get_repository_def()
gc.collect()
gc.freeze()  # what is here now stays: the forks' collectors need not look at it, nor copy its pages
collect_rarely()


def execute(run_id: str, instance_ref: str) -> int:
    """Execute a run to its end; the exit code. What goes wrong inside it, the run's own log tells."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    setup_interrupt_handlers()
    try:
        with capture_interrupts(), DagsterInstance.from_ref(deserialize_value(instance_ref, InstanceRef)) as instance:
            return _execute_run_command_body(run_id, instance, lambda _: None, set_exit_code_on_failure=True)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        close_workers()  # nobody else will: this process ends as multiprocessing's children do
