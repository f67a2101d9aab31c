"""The run launcher's answer to: does this run still live?"""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import serialize_value

from iota_dagster.launcher import LocalRunLauncher

RUN = dg.DagsterRun(job_name="ingest", run_id="11111111-1111-1111-1111-111111111111")


class FakeCodeServer:
    """The one call that the launcher makes of a code server."""

    def __init__(self, holds: set[str] | None) -> None:
        self.holds = holds  # None: it is gone

    def can_cancel_execution(self, request: CanCancelExecutionRequest, timeout: int) -> str:
        if self.holds is None:
            raise DagsterUserCodeUnreachableError("gone")
        return serialize_value(CanCancelExecutionResult(can_cancel=request.run_id in self.holds))


@pytest.mark.parametrize(
    ("server", "status"),
    [
        (FakeCodeServer({RUN.run_id}), WorkerStatus.RUNNING),
        (FakeCodeServer(set()), WorkerStatus.FAILED),
        (FakeCodeServer(None), WorkerStatus.FAILED),
        (None, WorkerStatus.FAILED),
    ],
    ids=["its server has it", "its server knows nothing of it", "its server is gone", "it has no server"],
)
def test_a_run_lives_only_while_its_code_server_has_it(
    server: FakeCodeServer | None, status: WorkerStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = LocalRunLauncher()
    monkeypatch.setattr(launcher, "_get_grpc_client_for_termination", lambda run_id: server)
    assert launcher.check_run_worker_health(RUN).status == status
