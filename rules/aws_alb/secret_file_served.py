from web_helpers import answered, balancer, client, path, web_context

FILES = (
    "/.env",
    "/.git/config",
    "/.git/head",
    "/.aws/credentials",
    "/.ssh/id_rsa",
    "/.htpasswd",
    "/.svn/entries",
    "/wp-config.php.bak",
    "/terraform.tfstate",
    "/actuator/heapdump",
    "/actuator/env",
)


def rule(event):
    return answered(event) and event.get("requestHttpMethod") == "GET" and path(event).endswith(FILES)


def title(event):
    return f"{balancer(event)} served {path(event)} to {client(event)}"


def dedup(event):
    return f"{event.get('elb')}/{event.get('domainName', '')}{path(event)}"


def alert_context(event):
    return web_context(event) | {"bytes": event.get("sentBytes")}
