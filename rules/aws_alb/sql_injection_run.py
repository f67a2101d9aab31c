from field_helpers import number
from web_helpers import balancer, client, plain_url, web_context

MARKS = (
    "union select",
    "union all select",
    "' or 1=1",
    "' or '1'='1",
    "information_schema.",
    "sleep(",
    "waitfor delay",
    "benchmark(",
    "extractvalue(",
    "updatexml(",
    "xp_cmdshell",
)


def rule(event):
    status = number(event, "elbStatusCode")
    # What a firewall stopped or the application refused has not reached a database; what made it fail may have.
    if not 200 <= status < 300 and status != 500:
        return False
    url = plain_url(event)
    return any(mark in url for mark in MARKS)


def title(event):
    return f"{client(event)} tries SQL injections on {balancer(event)}, and they reach the application"


def dedup(event):
    return f"{event.get('elb')}/{client(event)}"


def unique(event):
    return plain_url(event)[:1000]


def alert_context(event):
    return web_context(event) | {"decoded_url": plain_url(event)}
