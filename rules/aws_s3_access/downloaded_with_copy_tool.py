from field_helpers import text
from network_helpers import is_public
from s3_log_helpers import anonymous, done, request_context, requester

# Programs by which people, and intruders, copy whole buckets. Applications use an SDK and say so.
TOOLS = ("aws-cli", "cyberduck", "rclone", "s3 browser", "s3cmd", "winscp")


def rule(event):
    if event.get("operation") != "REST.GET.OBJECT" or anonymous(event) or not done(event):
        return False
    # From within a VPC an endpoint shows a private address: jobs on instances use these tools too.
    return bool(tool(event)) and is_public(event.get("remoteip"))


def tool(event):
    agent = text(event, "useragent").lower()
    return next((name for name in TOOLS if name in agent), "")


def title(event):
    return f"{requester(event)} copies bucket {event.get('bucket')} with {tool(event)} from {event.get('remoteip')}"


def dedup(event):
    return f"{event.get('bucket')}/{event.get('requester')}"


def unique(event):
    return str(event.get("key"))


def alert_context(event):
    return request_context(event) | {"tool": tool(event)}
