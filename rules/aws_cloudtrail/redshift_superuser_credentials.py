from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, request, same_actor, text

SUPERUSERS = ("admin", "awsuser", "dbadmin", "master", "postgres", "root")


def rule(event):
    if event.get("eventName") != "GetClusterCredentials" or by_service(event):
        return False
    if text(event, "dbUser").lower() in SUPERUSERS:
        return True
    return request(event, "autoCreate") is True and bool(request(event, "dbGroups"))


def title(event):
    verb = attempt(event, "got", "get")
    where = f"cluster {text(event, 'clusterIdentifier')} of account {account(event)}"
    return f"{actor(event)} {verb} a password of database user {text(event, 'dbUser')} on {where}"


def severity(event):
    return "LOW" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {
        "cluster": request(event, "clusterIdentifier"),
        "database_user": request(event, "dbUser"),
        "groups": request(event, "dbGroups"),
    }
