from eks_helpers import audit_context, by_control_plane, done, resource, target, user

CHANGES = ("create", "update", "patch", "delete")


def rule(event):
    if event.get("verb") not in CHANGES or resource(event) != "configmaps":
        return False
    return target(event) == "kube-system/aws-auth" and done(event) and not by_control_plane(event)


def title(event):
    return f"{user(event)} changed who may sign in to a cluster ({event.get('verb')} aws-auth)"


def alert_context(event):
    data = event.deep_get("requestObject", "data")
    return audit_context(event) | {"new_map": data}
