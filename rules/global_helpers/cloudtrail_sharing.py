"""Whose credentials a call used and what its request says: for the CloudTrail rules on exfiltration and impact."""

from cloudtrail_helpers import as_list, call_context, failed, request, same_actor, stranger


def person(event):
    """Whether a person's credentials made the call: root, an IAM user, or a role of IAM Identity Center."""
    if event.deep_get("userIdentity", "type") in ("Root", "IAMUser"):
        return True
    return ":assumed-role/AWSReservedSSO_" in str(event.deep_get("userIdentity", "arn", default=""))


def number(event, *keys):
    """A whole number of the request's parameters; 0 when it is absent or something else."""
    try:
        return int(request(event, *keys, default=0))
    except (TypeError, ValueError, OverflowError):
        return 0


def texts(event, *keys):
    """All values at the end of a path of the request's parameters that may lead through lists, as texts."""
    return [str(value) for value in as_list(event.deep_walk("requestParameters", *keys))]


def reaches_outside(event, readers):
    """Whether something is opened to everybody ("all") or to an account that is none of ours."""
    return "all" in readers or any(stranger(event, reader) for reader in readers)


def audience(readers):
    """Whom a copy is opened to, for a title."""
    return "everybody" if "all" in readers else "another account"


def sharing_dedup(event, readers):
    """What one principal opens in one account, to everybody and to others apart."""
    return f"{same_actor(event)}/{audience(readers)}"


def sharing_severity(event, readers):
    """Critical once everybody may read a copy; medium for an attempt that failed."""
    if failed(event):
        return "MEDIUM"
    return "CRITICAL" if "all" in readers else "DEFAULT"


def sharing_context(event, readers, **names):
    """The call, what was opened, and to whom."""
    return call_context(event) | names | {"shared_with": readers}
