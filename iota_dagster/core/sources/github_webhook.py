"""GitHub webhooks: the bodies of its deliveries. The event's name is in a header, but the body's keys tell it too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from iota_dagster.core.sources.base import Readings
from iota_dagster.core.sources.fields import Layout, Taken, flag, found_in, integer, structure, text
from iota_dagster.core.sources.finders import EMAIL, URL, USER
from iota_dagster.core.sources.github_webhook_time import THINGS, happened
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.marks import OBJECT_VALUE, TEXT_VALUE, AnyOf, Marks
from iota_dagster.core.sources.record_tree import RecordTree
from iota_dagster.core.sources.times import Written, times

_LAYOUT = Layout(
    (
        text("action", "What happened to the thing that the event is about; null for pushes and a few others"),
        text("repository.full_name", "Repository, as owner/name"),
        flag("repository.private", "Whether the repository is private"),
        text("repository.visibility", "public, private or internal"),
        text("organization.login", "Organization"),
        text("enterprise.slug", "Enterprise"),
        text("sender.login", "Login of who did it", USER),
        text("sender.type", "User, Bot or Organization"),
        integer("installation.id", "Id of the app's installation that the webhook belongs to"),
        text("ref", "Branch or tag that was pushed, made or deleted"),
        text("ref_type", "Whether a branch or a tag was made or deleted"),
        text("before", "Commit that the branch pointed to before the push"),
        text("after", "Commit that the branch points to after the push"),
        flag("created", "Whether the push made the branch"),
        flag("deleted", "Whether the push deleted the branch"),
        flag("forced", "Whether the push took commits away"),
        text("pusher.name", "Login of who pushed", USER),
        text("pusher.email", "Address of who pushed", EMAIL),
        integer("pull_request.number", "Number of the pull request"),
        text("pull_request.title", "Title of the pull request"),
        flag("pull_request.merged", "Whether the pull request is merged"),
        integer("issue.number", "Number of the issue"),
        integer("alert.number", "Number of the security alert"),
        text("alert.secret_type", "Kind of the secret that was found"),
        text("alert.html_url", "Page of the security alert"),
        text("rule.name", "Name of the branch protection rule"),
        text("team.slug", "Team"),
        text("member.login", "Login of the collaborator or team member", USER),
        text("membership.user.login", "Login of the organization's member", USER),
        text("membership.role", "Role of the organization's member"),
        text("key.title", "Name of the deploy key"),
        flag("key.read_only", "Whether the deploy key can only read"),
        text("hook.config.url", "Where the webhook is sent to", URL),
        text("workflow_run.name", "Name of the workflow that ran"),
        text("workflow_run.conclusion", "How the run ended"),
        structure("changes", "Values of before the event (JSON)"),
        structure("alert", "Security alert (JSON)"),
        found_in("blocked_user.login", USER),
        found_in("pull_request.user.login", USER),
        found_in("commits[].author.email", EMAIL),
        found_in("head_commit.author.email", EMAIL),
        found_in("head_commit.committer.email", EMAIL),
    )
)
_ABOUT = (
    text("starred_at", ""),
    text("updated_at", ""),  # of a commit's status
    *(structure(place, "") for place in ("pusher", "repository", *THINGS)),
)
"""What says when it happened, beside the action."""

_NO_AUDIT_LOG = ("@timestamp", "_document_id", "actor")


class _GitHubWebhook(JsonSource):
    """Its events have no time at a place of its own, and no id."""

    def __init__(self) -> None:
        super().__init__(
            "GitHub.Webhook",
            "github_webhook_events",
            _LAYOUT,
            AnyOf(
                (
                    Marks({"sender": OBJECT_VALUE, "action": TEXT_VALUE}),
                    Marks({"sender": OBJECT_VALUE, "repository": OBJECT_VALUE}),
                    Marks({"sender": OBJECT_VALUE, "organization": OBJECT_VALUE}),
                    Marks({"action": TEXT_VALUE, "repository": OBJECT_VALUE}, _NO_AUDIT_LOG),
                    Marks({"pusher": OBJECT_VALUE, "repository": OBJECT_VALUE}, _NO_AUDIT_LOG),
                    Marks({"action": TEXT_VALUE, "security_advisory": OBJECT_VALUE}, _NO_AUDIT_LOG),
                    Marks({"zen": TEXT_VALUE, "hook": OBJECT_VALUE}, _NO_AUDIT_LOG),
                )
            ),
            description="Pushes, pull requests, alerts and settings of GitHub repositories and organizations",
            tree=RecordTree((*_LAYOUT.fields, *_ABOUT)),
        )

    def read_many(self, records: Sequence[bytes]) -> Readings:
        """See `Source.read_many`."""
        taken, size, rejected = self._tree.read(records)
        readings = self.layout.readings(taken, size, rejected)
        return replace(readings, event_time=times(_when(taken)))


def _when(taken: Taken) -> list[Written]:
    about = (taken[item.path] for item in _ABOUT)
    return [_time(*row) for row in zip(taken["action"], taken["ref_type"], *about, strict=True)]


def _time(
    action: str | None,
    ref_type: str | None,
    starred_at: str | None,
    updated_at: str | None,
    pusher: msgspec.Raw,
    repository: msgspec.Raw,
    *things: msgspec.Raw,
) -> Written:
    pushed = bool(ref_type) or len(pusher) > len("null")
    return starred_at or updated_at or happened(action, pushed, things, repository)


SOURCE = _GitHubWebhook()
