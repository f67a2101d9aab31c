from web_helpers import answered, balancer, client, parameters, path, web_context

# What people type first who can run a command on somebody else's server.
COMMANDS = (
    "whoami",
    "uname -",
    "cat /",
    "ls -",
    "wget http",
    "curl http",
    "powershell",
    "/bin/sh",
    "/bin/bash",
    "net user",
    "ipconfig",
    "ifconfig",
)
SCRIPTS = (".php", ".jsp", ".jspx", ".asp", ".aspx", ".ashx", ".cgi")


def rule(event):
    if not answered(event) or not path(event).endswith(SCRIPTS):
        return False
    return any(value.startswith(COMMANDS) for value in parameters(event))


def title(event):
    return f"{client(event)} runs commands through {path(event)} on {balancer(event)}"


def dedup(event):
    return f"{event.get('elb')}{path(event)}"


def alert_context(event):
    return web_context(event) | {"parameters": parameters(event)}
