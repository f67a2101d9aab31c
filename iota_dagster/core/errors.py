"""The exceptions of the domain: each names its object and says whether a retry helps.

IotaError
├── Outage               nobody's fault: wait, count no attempt, try again
├── SettingsError        a wrong setting, with its file, line and field
├── ObjectError          one log object cannot be read
│   ├── ObjectMissing        it is not there
│   ├── ObjectSuperseded     it was overwritten since it was registered
│   ├── ObjectRefused        its bucket is not configured, or access is denied
│   │   └── ObjectArchived       it is in an archive (Glacier) and must be restored first
│   └── ObjectTooLarge       a limit of `decode.DecodeLimits` was passed
├── LakeFileDamaged      a file of the lake is missing, or not what was published
├── RecordRejected       one record cannot be parsed: it goes to quarantine
├── RuleError            a rule file or a rule call is wrong
├── DeliveryFailed       a destination did not take an alert
├── VersionConflict      a neighbour committed first: look up again and retry
└── WorkFilesLost        a committed batch's work files are gone
"""

from __future__ import annotations


class IotaError(Exception):
    """Anything that went wrong in iota, in words for its user.

    `retry_helps` says whether the same call may succeed later without anybody changing anything.
    """

    retry_helps = False


class Outage(IotaError):
    """The store, the lake, a role or a network did not answer; no object is to blame."""

    retry_helps = True


class SettingsError(IotaError):
    """A setting is wrong; the text names file, line and field."""


class ObjectError(IotaError):
    """One log object could not be read; the others of its batch go on."""

    reason = "unreadable"

    def __init__(self, bucket: str, key: str, detail: str) -> None:
        super().__init__(f"{bucket}/{key}: {detail}")
        self.bucket, self.key, self.detail = bucket, key, detail


class ObjectMissing(ObjectError):
    """The object is not in its bucket (any more)."""

    reason = "missing"


class ObjectSuperseded(ObjectError):
    """The object has another content than the one that was registered."""

    reason = "superseded"


class ObjectRefused(ObjectError):
    """The object's bucket is not configured or its role may not read it."""

    reason = "refused"


class ObjectArchived(ObjectRefused):
    """The object is in an archive tier and cannot be read before somebody restores it."""

    reason = "archived"


class ObjectTooLarge(ObjectError):
    """The object passes a configured limit (size, ratio)."""

    reason = "too_large"


class LakeFileDamaged(IotaError):
    """A file of the lake is not what was published; `what` is it: "missing", "damaged: …"."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f'{path} is {what}; see "Lost state" in docs/operations.md')
        self.path, self.what = path, what


class RecordRejected(IotaError):
    """One record could not be parsed; `reason` is a short constant for counting."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class RuleError(IotaError):
    """A rule's file or one of its functions is wrong; the text names rule, file and line."""


class DeliveryFailed(IotaError):
    """A destination did not take an alert."""

    retry_helps = True


class VersionConflict(IotaError):
    """Another batch advanced an event hour between look-up and commit."""

    retry_helps = True


class WorkFilesLost(IotaError):
    """A committed batch cannot be published because its work files are gone."""
