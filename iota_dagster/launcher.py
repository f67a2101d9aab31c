"""The run launcher of one host: it knows when a run's process is gone.

Dagster's default launcher cannot tell, so that after a reboot a run would stay STARTED, and hold its hour, until its
maximum run time. With this one, run monitoring ends such a run within seconds and retries it. The daemon and the
webserver import this module too: keep it light.
"""

from __future__ import annotations

from dagster import DagsterRun
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

ANSWER_SECONDS = 5


class LocalRunLauncher(DefaultRunLauncher):
    """Starts a run as a process of the code server, and asks that server whether it still has it."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes: this is what makes run monitoring look."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process lives. A code server that is gone or new knows nothing of it: it has failed."""
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return CheckRunHealthResult(WorkerStatus.FAILED, "it was started by no known code server")
        # Not get_current_runs: the proxy of `dagster code-server` does not answer it, and healthy runs would fail.
        try:
            reply = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=ANSWER_SECONDS)
        except DagsterUserCodeUnreachableError:
            return CheckRunHealthResult(WorkerStatus.FAILED, "its code server is gone")
        if deserialize_value(reply, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "its process is gone")
