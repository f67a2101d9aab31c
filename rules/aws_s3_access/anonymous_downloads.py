from s3_log_helpers import anonymous, done, request_context


def rule(event):
    # What the website endpoint serves has operations of its own (WEBSITE.GET.OBJECT).
    return event.get("operation") == "REST.GET.OBJECT" and anonymous(event) and done(event)


def title(event):
    return f"{event.get('remoteip')} downloads many objects of bucket {event.get('bucket')} without credentials"


def dedup(event):
    return f"{event.get('bucket')}/{event.get('remoteip')}"


def unique(event):
    return str(event.get("key"))


def alert_context(event):
    return request_context(event)
