from cloudtrail_helpers import actor, call_context, failed


def rule(event):
    return (
        event.get("eventName") == "GetRoleCredentials"
        and event.get("eventSource") == "sso.amazonaws.com"
        and not failed(event)
    )


def title(event):
    return f"{actor(event)} fetched credentials of many roles from Identity Center"


def dedup(event):
    # Identity Center's own events have no ARN, but the same id of the person in all of them.
    person = event.deep_get("userIdentity", "onBehalfOf", "userId") or event.deep_get("userIdentity", "principalId")
    return str(person or actor(event))


def role(event):
    """The account and role that the credentials are for."""
    details = ("account_id", "role_name")
    return "/".join(str(event.deep_get("serviceEventDetails", key, default="unknown")) for key in details)


def unique(event):
    return role(event)


def alert_context(event):
    return call_context(event) | {"role": role(event)}
