from gcp_helpers import actor, failed, gcp_context, grants, resource

ANYBODY = ("allUsers", "allAuthenticatedUsers")
# To call a web service is what the public is meant to do with it.
CALLING = ("roles/run.invoker", "roles/cloudfunctions.invoker")


def rule(event):
    return bool(public(event)) and not failed(event)


def public(event):
    return [(role, member) for role, member in grants(event) if member in ANYBODY and role not in CALLING]


def title(event):
    return f"{actor(event)} granted {public(event)[0][0]} on {resource(event)} to the whole internet"


def alert_context(event):
    return gcp_context(event) | {"grants": [f"{role} to {member}" for role, member in public(event)]}
