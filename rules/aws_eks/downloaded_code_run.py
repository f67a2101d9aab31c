from eks_helpers import audit_context, changes_workload, command_line, containers, target, user

DOWNLOADS = ("curl", "wget")
SHELLS = ("|sh", "|bash", "|/bin/sh", "|/bin/bash", "|python")


def rule(event):
    return changes_workload(event) and any(runs_strange_code(command_line(item)) for item in containers(event))


def runs_strange_code(line):
    # Bash opens a connection by this path: nobody but a reverse shell does so in a pod's command.
    if "/dev/tcp/" in line:
        return True
    piped = line.replace("| ", "|")
    return any(tool in line for tool in DOWNLOADS) and any(shell in piped for shell in SHELLS)


def title(event):
    return f"{user(event)} deployed {target(event)}, which runs code from elsewhere"


def dedup(event):
    return f"{user(event)}/{target(event)}"


def alert_context(event):
    return audit_context(event) | {"commands": [command_line(container)[:2000] for container in containers(event)]}
