from web_helpers import answered, balancer, client, plain_url, web_context

# Files that every server has and no application serves, and the way up to them.
MARKS = ("/etc/passwd", "/etc/shadow", "/proc/self/", "/win.ini", "/boot.ini", "../../..")


def rule(event):
    if not answered(event):
        return False
    url = plain_url(event)
    return any(mark in url for mark in MARKS)


def title(event):
    return f"{client(event)} asked {balancer(event)} for a file of the server's own and was answered"


def dedup(event):
    return f"{event.get('elb')}/{client(event)}"


def alert_context(event):
    return web_context(event) | {"decoded_url": plain_url(event)}
