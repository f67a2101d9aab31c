from eks_helpers import audit_context, by_person, done, namespace, resource, user

DELETES = ("delete", "deletecollection")


def rule(event):
    if event.get("verb") not in DELETES or resource(event) != "events":
        return False
    return done(event) and by_person(event)


def title(event):
    return f"{user(event)} deleted events of {namespace(event) or 'a cluster'}"


def dedup(event):
    return user(event)


def alert_context(event):
    return audit_context(event)
