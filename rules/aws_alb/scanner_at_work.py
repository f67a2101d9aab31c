from field_helpers import text
from web_helpers import balancer, client, path, web_context

SCANNERS = (
    "sqlmap",
    "nikto",
    "nuclei",
    "wpscan",
    "gobuster",
    "dirbuster",
    "feroxbuster",
    "fuzz faster u fool",
    "acunetix",
    "nmap scripting engine",
    "masscan",
    "zgrab",
)


def rule(event):
    return bool(scanner(event))


def scanner(event):
    agent = text(event, "userAgent").lower()
    return next((name for name in SCANNERS if name in agent), "")


def title(event):
    return f"{client(event)} scans {balancer(event)} with {scanner(event)}"


def dedup(event):
    return f"{event.get('elb')}/{client(event)}"


def unique(event):
    return path(event)[:1000]


def alert_context(event):
    return web_context(event) | {"scanner": scanner(event)}
