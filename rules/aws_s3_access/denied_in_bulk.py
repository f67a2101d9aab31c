from s3_log_helpers import request_context, requester


def rule(event):
    # Website visitors get a 403 for every page that is missing; only signed or plain API requests count.
    return event.get("errorcode") == "AccessDenied" and str(event.get("operation")).startswith("REST.")


def title(event):
    return f"{requester(event)} was denied many different S3 requests"


def dedup(event):
    return f"{event.get('requester', '')}/{event.get('remoteip')}"


def unique(event):
    return f"{event.get('bucket')}/{event.get('key') or event.get('operation')}"


def alert_context(event):
    return request_context(event)
