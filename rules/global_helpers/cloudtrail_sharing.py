"""Whose credentials a call used and what its request says: for the CloudTrail rules on exfiltration and impact."""

from cloudtrail_helpers import as_list, request


def person(event):
    """Whether a person's credentials made the call: root, an IAM user, or a role of IAM Identity Center."""
    if event.deep_get("userIdentity", "type") in ("Root", "IAMUser"):
        return True
    return ":assumed-role/AWSReservedSSO_" in str(event.deep_get("userIdentity", "arn", default=""))


def long_term_key(event):
    """Whether the call was signed with a key that never expires: the kind that leaks and is sold."""
    return str(event.deep_get("userIdentity", "accessKeyId", default="")).startswith("AKIA")


def number(event, *keys):
    """A whole number of the request's parameters; 0 when it is absent or something else."""
    try:
        return int(request(event, *keys, default=0))
    except (TypeError, ValueError, OverflowError):
        return 0


def texts(event, *keys):
    """All values at the end of a path of the request's parameters that may lead through lists, as texts."""
    return [str(value) for value in as_list(event.deep_walk("requestParameters", *keys))]
