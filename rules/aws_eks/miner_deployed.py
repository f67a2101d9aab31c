from eks_helpers import audit_context, changes_workload, command_line, containers, target, user
from field_helpers import text

MINERS = (
    "xmrig",
    "minerd",
    "cpuminer",
    "ethminer",
    "nbminer",
    "kinsing",
    "kdevtmpfsi",
    "stratum+tcp:",
    "stratum+ssl:",
    "moneroocean",
    "supportxmr",
    "nanopool.org",
    "--donate-level",
)


def rule(event):
    return changes_workload(event) and bool(miners(event))


def miners(event):
    runs = [f"{text(container, 'image').lower()} {command_line(container)}" for container in containers(event)]
    return [mark for mark in MINERS if any(mark in line for line in runs)]


def title(event):
    return f"{user(event)} deployed a miner: {target(event)} ({miners(event)[0]})"


def dedup(event):
    return f"{user(event)}/{target(event)}"


def alert_context(event):
    return audit_context(event) | {
        "commands": [command_line(container)[:500] for container in containers(event)],
        "images": [text(container, "image") for container in containers(event)],
        "marks": miners(event),
    }
