from gcp_helpers import actor, gcp_context, method, project, resource

CALLS = ("GenerateAccessToken", "GenerateIdToken", "SignBlob", "SignJwt")
DENIED = 7


def rule(event):
    return (
        method(event).rpartition(".")[2] in CALLS
        and event.deep_get("protoPayload", "serviceName") == "iamcredentials.googleapis.com"
        and event.deep_get("protoPayload", "status", "code") == DENIED
    )


def title(event):
    return f"{actor(event)} tries to act as one service account after another in {project(event)}"


def dedup(event):
    return actor(event)


def unique(event):
    return resource(event)


def alert_context(event):
    return gcp_context(event)
