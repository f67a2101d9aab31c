from web_helpers import balancer, client, path, web_context


def rule(event):
    return event.get("elbStatusCode") == 404 and event.get("targetStatusCode") == 404


def title(event):
    return f"{client(event)} searches {balancer(event)} for hidden pages"


def dedup(event):
    return f"{event.get('elb')}/{client(event)}"


def unique(event):
    return path(event)[:1000]


def alert_context(event):
    return web_context(event)
