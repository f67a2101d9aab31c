"""When a GitHub webhook's event happened: the body does not say, so it is told by what the event is about.

A body carries the thing that something happened to (a pull request, an alert, a key …) as it is afterwards, with times
of its own. Which of them is the event's depends on the action: `updated_at` moves with nearly every event; `created_at`
is the event's only if that was the creation; a deletion leaves no time. A wrong time would be worse than none: an event
without one is dated by its delivery, seconds later.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from iota_dagster.core.sources.lenient import read_leniently
from iota_dagster.core.sources.marks import keys
from iota_dagster.core.sources.times import Written

THINGS = keys(
    """location comment review thread deployment_status workflow_job deployment workflow_run check_run check_suite alert
    security_advisory repository_advisory rule repository_ruleset key hook release sub_issue issue pull_request
    milestone discussion label forkee build package registry_package merge_group projects_v2_item
    projects_v2_status_update projects_v2 project_card project_column project sponsorship
    personal_access_token_request exemption_request member membership blocked_user invitation team inputs pages status
    client_payload workflow installation"""
)
"""Keys of what an event can be about, the more special first: a comment comes with its issue, this with its label."""

_BIRTHS = frozenset({None, "create", "created", "opened", "member_invited", "queued", "requested", "waiting"})
_TIMELESS = frozenset({"added", "deleted", "destroyed", "removed"})
"""After these the thing has the times of before, or is gone."""
_OF_REPOSITORY = frozenset(
    {None, "created", "edited", "renamed", "transferred", "archived", "unarchived", "publicized", "privatized"}
)
"""What happens to a repository itself; without an action it was made public."""
_NAMED = {"in_progress": "started_at", "dismiss": "dismissed_at", "resolve": "fixed_at", "suspend": "suspended_at"}
"""Times that have another name than their action with `_at`."""


class _Times(msgspec.Struct, gc=False):
    updated_at: Written = None
    created_at: Written = None
    started_at: Written = None
    completed_at: Written = None
    submitted_at: Written = None
    published_at: Written = None
    resolved_at: Written = None
    dismissed_at: Written = None
    fixed_at: Written = None
    closed_at: Written = None
    suspended_at: Written = None
    pushed_at: Written = None


_decode = msgspec.json.Decoder(_Times).decode
_NONE = _Times()
_NULL = b"null"


def happened(action: str | None, pushed: bool, things: Iterable[msgspec.Raw], repository: msgspec.Raw) -> Written:
    """The time of the event, as written; None where the body tells none.

    `things` are the JSON texts of `THINGS`, in that order; `pushed` says that somebody pushed to the repository, or
    made or deleted a branch or tag of it.
    """
    if pushed:
        return _times(repository).pushed_at
    thing = next((value for value in things if len(value) and bytes(value) != _NULL), None)
    if thing is not None:
        return _of(_times(thing), action)
    return _of(_times(repository), action) if action in _OF_REPOSITORY else None


def _of(times: _Times, action: str | None) -> Written:
    if action in _TIMELESS:
        return None
    names = ["updated_at", _NAMED.get(action or "", f"{action}_at")]
    if action in _BIRTHS:
        names += ["created_at", "started_at"]
    return next((time for name in names if (time := getattr(times, name, None)) is not None), None)


def _times(thing: msgspec.Raw) -> _Times:
    try:
        return _decode(thing)
    except (msgspec.MsgspecError, RecursionError):
        return read_leniently(_Times, bytes(thing)) or _NONE
