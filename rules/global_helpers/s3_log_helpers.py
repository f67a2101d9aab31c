"""What several rules ask of an S3 server access log line."""

from field_helpers import number, text


def done(event):
    """Whether S3 did what was asked."""
    return 200 <= number(event, "httpstatus") < 300


def anonymous(event):
    """Whether the request came without a signature."""
    return event.get("requester") is None


def requester(event):
    """Who asked: the short form of an ARN, a canonical id, else the address."""
    name = text(event, "requester")
    # arn:aws:sts::111122223333:assumed-role/Admin/alice -> Admin/alice
    short = name.split(":", 5)[-1].partition("/")[2] if name.startswith("arn:") else name
    return short or name or f"an anonymous client at {event.get('remoteip', 'an unknown address')}"


def request_context(event):
    """What an analyst looks at first, the same in every alert on S3 requests."""
    return {
        "bucket": event.get("bucket"),
        "error": event.get("errorcode"),
        "key": event.get("key"),
        "operation": event.get("operation"),
        "remote_ip": event.get("remoteip"),
        "request_id": event.get("requestid"),
        "requester": event.get("requester"),
        "status": event.get("httpstatus"),
        "user_agent": event.get("useragent"),
    }
