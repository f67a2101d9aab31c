from web_helpers import balancer, client, path, web_context

REFUSED = (401, 403, 429)


def rule(event):
    # The target's own answer: a 403 of the load balancer is the web ACL's, and nothing was tried.
    return event.get("requestHttpMethod") == "POST" and event.get("targetStatusCode") in REFUSED


def title(event):
    return f"{client(event)} guesses passwords at {path(event)} of {balancer(event)}"


def dedup(event):
    return f"{event.get('elb')}/{client(event)}{path(event)}"


def alert_context(event):
    return web_context(event)
